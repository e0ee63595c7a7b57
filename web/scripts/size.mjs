// Budget of the first page: what index.html loads, gzipped, must stay small; the editor is a chunk of its own.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const SHELL_KIB_MAX = 170;
const TOTAL_KIB_MAX = 380;

const dist = new URL("../dist/", import.meta.url).pathname;
const html = readFileSync(join(dist, "index.html"), "utf8");
if (/<script(?![^>]*src=)/.test(html) || /<style/.test(html)) throw new Error("dist/index.html holds inline code");

const kib = (file) => gzipSync(readFileSync(join(dist, "assets", file)), { level: 9 }).length / 1024;
let shell = 0;
let total = 0;
for (const file of readdirSync(join(dist, "assets")).filter((name) => /\.(js|css)$/.test(name))) {
  const size = kib(file);
  const first = html.includes(file);
  total += size;
  if (first) shell += size;
  console.log(`${size.toFixed(1).padStart(7)} KiB gz  ${first ? "first " : "lazy  "} ${file}`);
}
console.log(`${shell.toFixed(1).padStart(7)} KiB gz  first page (budget ${SHELL_KIB_MAX})`);
console.log(`${total.toFixed(1).padStart(7)} KiB gz  everything (budget ${TOTAL_KIB_MAX})`);
if (shell > SHELL_KIB_MAX || total > TOTAL_KIB_MAX) {
  console.error("bundle budget exceeded");
  process.exit(1);
}
