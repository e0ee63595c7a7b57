/**
 * Where the services of a dependency graph stand: whoever asks is left of whom it asks. Layers by the longest path, long edges led
 * round through places of their own, crossings made few by barycentres (Sugiyama, Tagawa and Toda 1981). The same graph always looks
 * the same.
 */
export interface Arrow {
  from: string;
  to: string;
}

export interface Point {
  x: number;
  y: number;
}

export interface Layout<A extends Arrow> {
  width: number;
  height: number;
  /** The upper left corner of each service's box. */
  boxes: Map<string, Point>;
  /** The way of each arrow: where it leaves, what it passes, where it arrives. */
  ways: { arrow: A; points: Point[] }[];
}

/** The size of a service's box and the space between, in pixels. */
export const BOX = { width: 204, height: 44, gapX: 72, gapY: 16 };
/** The space that an arrow gets which passes between boxes. */
const PASS_HEIGHT = 10;
/** How far apart arrows meet a box, and on how much of its side. */
const PORT = { apart: 9, most: BOX.height - 12 };
/** How often the order within layers, and then the heights, are bettered; more changes hardly anything. */
const SWEEPS = 12;

/** A place in a layer: a service, or where a long arrow passes. */
interface Place {
  layer: number;
  /** Height of its middle. */
  y: number;
  height: number;
  left: Place[];
  right: Place[];
  service: string | null;
}

export function layout<A extends Arrow>(services: string[], arrows: A[]): Layout<A> {
  const names = [...new Set(services)].sort();
  const known = new Set(names);
  const drawn = arrows.filter(({ from, to }) => from !== to && known.has(from) && known.has(to));
  const turned = turnedBack(names, drawn);
  const layers = layersOf(names, drawn, turned);
  const places = new Map(names.map((name) => [name, newPlace(layers.get(name) ?? 0, BOX.height, name)]));
  const columns: Place[][] = [];
  const put = (place: Place) => {
    columns[place.layer] ??= [];
    columns[place.layer]?.push(place);
    return place;
  };
  for (const place of places.values()) put(place);
  const chains = drawn.map((arrow) => {
    const [start, end] = turned.has(arrow) ? [arrow.to, arrow.from] : [arrow.from, arrow.to];
    return chain(places.get(start) as Place, places.get(end) as Place, put);
  });
  order(columns);
  settle(columns);
  const top = Math.min(0, ...columns.flat().map(({ y, height }) => y - height / 2));
  for (const place of columns.flat()) place.y -= top;
  return {
    width: Math.max(0, columns.length * (BOX.width + BOX.gapX) - BOX.gapX),
    height: Math.max(0, ...columns.flat().map(({ y, height }) => y + height / 2)),
    boxes: new Map([...places].map(([name, { layer, y }]) => [name, { x: leftOf(layer), y: y - BOX.height / 2 }])),
    ways: waysOf(chains).map((points, index) => {
      const arrow = drawn[index] as A;
      return { arrow, points: turned.has(arrow) ? points.reverse() : points };
    }),
  };
}

const leftOf = (layer: number) => layer * (BOX.width + BOX.gapX);
const newPlace = (layer: number, height: number, service: string | null): Place => ({
  layer,
  y: 0,
  height,
  left: [],
  right: [],
  service,
});

/** The arrows that close a circle, found depth first. They are laid out the other way round, and drawn as they are. */
function turnedBack<A extends Arrow>(names: string[], arrows: A[]): Set<A> {
  const leaving = groupBy(arrows, ({ from }) => from);
  const entered = new Map(names.map((name) => [name, 0]));
  for (const { to } of arrows) entered.set(to, (entered.get(to) ?? 0) + 1);
  // Whom nobody asks begins: then no more arrows are turned than the circles ask for.
  const starts = [...names].sort((a, b) => Math.sign(entered.get(a) ?? 0) - Math.sign(entered.get(b) ?? 0));
  const turned = new Set<A>();
  const state = new Map<string, "open" | "done">();
  for (const start of starts) {
    if (state.has(start)) continue;
    const path = [{ name: start, next: 0 }];
    state.set(start, "open");
    for (let step = path.at(-1); step; step = path.at(-1)) {
      const arrow = leaving.get(step.name)?.[step.next++];
      if (!arrow) {
        state.set(step.name, "done");
        path.pop();
      } else if (state.get(arrow.to) === "open") turned.add(arrow);
      else if (!state.has(arrow.to)) {
        state.set(arrow.to, "open");
        path.push({ name: arrow.to, next: 0 });
      }
    }
  }
  return turned;
}

/** The layer of each service: one more than the furthest of those left of it. */
function layersOf<A extends Arrow>(names: string[], arrows: A[], turned: Set<A>): Map<string, number> {
  const ways = arrows.map((arrow) => (turned.has(arrow) ? { from: arrow.to, to: arrow.from } : arrow));
  const leaving = groupBy<Arrow>(ways, ({ from }) => from);
  const missing = new Map(names.map((name) => [name, 0]));
  for (const { to } of ways) missing.set(to, (missing.get(to) ?? 0) + 1);
  const layers = new Map(names.map((name) => [name, 0]));
  const ready = names.filter((name) => missing.get(name) === 0);
  for (let name = ready.shift(); name !== undefined; name = ready.shift()) {
    for (const { to } of leaving.get(name) ?? []) {
      layers.set(to, Math.max(layers.get(to) ?? 0, (layers.get(name) ?? 0) + 1));
      missing.set(to, (missing.get(to) ?? 0) - 1);
      if (missing.get(to) === 0) ready.push(to);
    }
  }
  return layers;
}

function groupBy<T>(items: T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group) group.push(item);
    else groups.set(key(item), [item]);
  }
  return groups;
}

/** The places from one service to another, with one for each layer between. */
function chain(start: Place, end: Place, put: (place: Place) => Place): Place[] {
  const places = [start];
  for (let layer = start.layer + 1; layer < end.layer; layer++) places.push(put(newPlace(layer, PASS_HEIGHT, null)));
  places.push(end);
  for (let at = 1; at < places.length; at++) {
    (places[at - 1] as Place).right.push(places[at] as Place);
    (places[at] as Place).left.push(places[at - 1] as Place);
  }
  return places;
}

const mean = (places: Place[], value: (place: Place) => number, none: number) =>
  places.length === 0 ? none : places.reduce((sum, place) => sum + value(place), 0) / places.length;

/** Puts each place of a layer where its neighbours are in the order of theirs, from the left and from the right in turn. */
function order(columns: Place[][]) {
  const rank = new Map<Place, number>();
  const number = (column: Place[]) => {
    column.forEach((place, index) => {
      rank.set(place, index);
    });
  };
  for (const column of columns) number(column);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const fromLeft = sweep % 2 === 0;
    for (const column of fromLeft ? columns : [...columns].reverse()) {
      const wanted = new Map(
        column.map((place) => [
          place,
          mean(fromLeft ? place.left : place.right, (one) => rank.get(one) ?? 0, rank.get(place) ?? 0),
        ]),
      );
      column.sort((a, b) => (wanted.get(a) ?? 0) - (wanted.get(b) ?? 0));
      number(column);
    }
  }
}

const gapOf = (above: Place, below: Place) => (above.height + below.height) / 2 + BOX.gapY;

/** Gives each place its height: as near to its neighbours' as the others of its layer let it. */
function settle(columns: Place[][]) {
  for (const column of columns) {
    for (let at = 1; at < column.length; at++) {
      const [above, below] = [column[at - 1] as Place, column[at] as Place];
      below.y = above.y + gapOf(above, below);
    }
    const middle = ((column[0]?.y ?? 0) + (column.at(-1)?.y ?? 0)) / 2;
    for (const place of column) place.y -= middle;
  }
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const fromLeft = sweep % 2 === 0;
    for (const column of fromLeft ? columns : [...columns].reverse()) {
      const wanted = column.map((place) => mean(fromLeft ? place.left : place.right, ({ y }) => y, place.y));
      spread(column, wanted);
    }
  }
}

/** As near to the wanted heights as the gaps allow, in the sense of least squares: neighbours that would overlap share one wish. */
function spread(column: Place[], wanted: number[]) {
  const offsets: number[] = [];
  const groups: { first: number; count: number; wish: number }[] = [];
  column.forEach((place, at) => {
    const above = column[at - 1];
    offsets.push(above ? (offsets[at - 1] as number) + gapOf(above, place) : 0);
    let group = { first: at, count: 1, wish: (wanted[at] as number) - (offsets[at] as number) };
    for (let before = groups.at(-1); before && before.wish > group.wish; before = groups.at(-1)) {
      groups.pop();
      const count = before.count + group.count;
      group = {
        first: before.first,
        count,
        wish: (before.wish * before.count + group.wish * group.count) / count,
      };
    }
    groups.push(group);
  });
  for (const { first, count, wish } of groups)
    for (let at = first; at < first + count; at++) (column[at] as Place).y = wish + (offsets[at] as number);
}

/** From side to side of the boxes and straight through each place between, from the left. */
function waysOf(chains: Place[][]): Point[][] {
  const leaving = ports(chains, 0, 1);
  const arriving = ports(chains, -1, -2);
  return chains.map((places) =>
    places.flatMap(({ layer, y }, at) => {
      if (at === 0) return [{ x: leftOf(layer) + BOX.width, y: y + (leaving.get(places) ?? 0) }];
      if (at === places.length - 1) return [{ x: leftOf(layer), y: y + (arriving.get(places) ?? 0) }];
      return [
        { x: leftOf(layer), y },
        { x: leftOf(layer) + BOX.width, y },
      ];
    }),
  );
}

/** How far from the middle of its box's side each arrow meets it, in the order of where they come from or go. */
function ports(chains: Place[][], end: number, next: number): Map<Place[], number> {
  const offsets = new Map<Place[], number>();
  const meeting = new Map<Place, Place[][]>();
  for (const places of chains) {
    const box = places.at(end) as Place;
    meeting.set(box, [...(meeting.get(box) ?? []), places]);
  }
  for (const group of meeting.values()) {
    group.sort((a, b) => (a.at(next)?.y ?? 0) - (b.at(next)?.y ?? 0));
    const apart = Math.min(PORT.apart, PORT.most / group.length);
    group.forEach((places, at) => {
      offsets.set(places, (at - (group.length - 1) / 2) * apart);
    });
  }
  return offsets;
}

/** An SVG path through the points: curves where it changes its height between layers, straight lines past boxes. */
export function pathOf(points: Point[]): string {
  return points
    .map(({ x, y }, at) => {
      const before = points[at - 1];
      if (!before) return `M${round(x)} ${round(y)}`;
      if (Math.abs(x - before.x) >= BOX.width || y === before.y) return `L${round(x)} ${round(y)}`;
      const middle = round((before.x + x) / 2);
      return `C${middle} ${round(before.y)} ${middle} ${round(y)} ${round(x)} ${round(y)}`;
    })
    .join("");
}

const round = (value: number) => Math.round(value * 10) / 10;
