/** The server counts UTF-8 bytes, the editor UTF-16 units. */
export function utf16Offsets(text: string, byteOffsets: number[]): number[] {
  const order = byteOffsets.map((byte, index) => ({ byte, index })).sort((a, b) => a.byte - b.byte);
  const result = new Array<number>(byteOffsets.length).fill(text.length);
  let bytes = 0;
  let at = 0;
  for (const { byte, index } of order) {
    while (bytes < byte && at < text.length) {
      const point = text.codePointAt(at) as number;
      bytes += utf8Length(point);
      at += point > 0xffff ? 2 : 1;
    }
    result[index] = at;
  }
  return result;
}

export function utf8Offset(text: string, utf16: number): number {
  let bytes = 0;
  for (let at = 0; at < Math.min(utf16, text.length); ) {
    const point = text.codePointAt(at) as number;
    bytes += utf8Length(point);
    at += point > 0xffff ? 2 : 1;
  }
  return bytes;
}

function utf8Length(point: number): number {
  if (point < 0x80) return 1;
  if (point < 0x800) return 2;
  return point < 0x10000 ? 3 : 4;
}
