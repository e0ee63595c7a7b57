import { useEffect, useMemo, useRef } from "react";
import { Link } from "../../app/router";
import { useI18n } from "../../i18n";
import { BOX, layout, type Point, pathOf } from "./layout";
import { type ServiceState, toneOf } from "./state";
import type { Drawn, Need } from "./surroundings";

/** Room around the drawing for focus rings and arrow heads, in pixels. */
const MARGIN = 10;
/** As much of a name, and of what is said of it, as fits into a box, in columns of half a Chinese character. */
const NAME_COLUMNS = 25;
const SAYS_COLUMNS = 33;

export const serviceHref = (name: string) => `/services?service=${encodeURIComponent(name)}`;

/** Who needs whom as boxes and arrows. The boxes are links in the order of names; the table says who needs whom in words. */
export function DependencyGraph(props: { drawn: Drawn; chosen: string | null; states: Map<string, ServiceState> }) {
  const { drawn, chosen, states } = props;
  const { t } = useI18n();
  const { boxes, ways, width, height } = useMemo(() => layout(drawn.services, drawn.needs), [drawn]);
  const frame = useRef<HTMLDivElement>(null);
  const at = chosen === null ? undefined : boxes.get(chosen);
  useCentred(frame, at);
  const isNear = ({ from, to }: Need) => from === chosen || to === chosen;
  const sorted = [...ways].sort((a, b) => Number(isNear(a.arrow)) - Number(isNear(b.arrow)));
  return (
    <div className="graph-frame" ref={frame}>
      <svg
        className={at ? "dependencies focused" : "dependencies"}
        role="group"
        aria-label={t("services.graph")}
        width={width + 2 * MARGIN}
        height={height + 2 * MARGIN}
        viewBox={`${-MARGIN} ${-MARGIN} ${width + 2 * MARGIN} ${height + 2 * MARGIN}`}
      >
        <defs>
          <Head id="needs" />
          <Head id="needs-near" />
        </defs>
        <g>
          {sorted.map(({ arrow, points }) => (
            <Way key={`${arrow.from}\n${arrow.to}`} need={arrow} points={points} near={isNear(arrow)} />
          ))}
        </g>
        {drawn.services.map((name) => (
          <Box
            key={name}
            name={name}
            at={boxes.get(name) ?? { x: 0, y: 0 }}
            state={states.get(name)}
            chosen={name === chosen}
          />
        ))}
      </svg>
    </div>
  );
}

/** Brings the chosen service into the middle of a frame that shows a part of the drawing. */
function useCentred(frame: React.RefObject<HTMLDivElement | null>, at: Point | undefined) {
  const { x, y } = at ?? {};
  useEffect(() => {
    const element = frame.current;
    if (!element || x === undefined || y === undefined) return;
    const left = x + MARGIN + BOX.width / 2 - element.clientWidth / 2;
    const top = y + MARGIN + BOX.height / 2 - element.clientHeight / 2;
    element.scrollTo({ left, top });
  }, [frame, x, y]);
}

function Head({ id }: { id: string }) {
  return (
    <marker
      id={id}
      viewBox="0 0 8 8"
      refX="7"
      refY="4"
      markerWidth="9"
      markerHeight="9"
      markerUnits="userSpaceOnUse"
      orient="auto"
    >
      <path d="M0 0 8 4 0 8Z" />
    </marker>
  );
}

function Way({ need, points, near }: { need: Need; points: Point[]; near: boolean }) {
  const { t } = useI18n();
  const { from, to, learned } = need;
  return (
    <path
      className={`need ${learned ? "learned" : "written"} ${near ? "near" : ""}`}
      d={pathOf(points)}
      markerEnd={`url(#needs${near ? "-near" : ""})`}
    >
      <title>{t(learned ? "services.needLearned" : "services.needWritten", { from, to })}</title>
    </path>
  );
}

function Box(props: { name: string; at: Point; state: ServiceState | undefined; chosen: boolean }) {
  const { name, at, state, chosen } = props;
  const says = useStateText()(state);
  const middle = BOX.height / 2;
  return (
    <Link
      href={serviceHref(name)}
      className={`service ${state ? toneOf(state) : "plain"}`}
      aria-label={says ? `${name}: ${says}` : name}
      aria-current={chosen ? "true" : undefined}
    >
      <g transform={`translate(${at.x} ${at.y})`}>
        <title>{says ? `${name}: ${says}` : name}</title>
        <rect className="box" width={BOX.width} height={BOX.height} rx={5} />
        <rect className="tone" x={1.5} y={1.5} width={4} height={BOX.height - 3} rx={2} />
        <text x={14} y={says ? middle - 4 : middle + 4.5}>
          {clipped(name, NAME_COLUMNS)}
        </text>
        {says && (
          <text className="says" x={14} y={middle + 13}>
            {clipped(says, SAYS_COLUMNS)}
          </text>
        )}
      </g>
    </Link>
  );
}

/** What is known of a service, in a few words; nothing where nothing is. */
export function useStateText() {
  const { t } = useI18n();
  return (state: ServiceState | undefined): string => {
    if (!state) return "";
    const { firing, watching, verdict } = state;
    const parts = firing > 0 ? [t("services.firing", { n: firing })] : [];
    if (watching)
      parts.push(t(verdict === "good" || verdict === "bad" ? `services.now.${verdict}` : "services.watching"));
    else if (verdict === "good" || verdict === "bad" || verdict === "unknown")
      parts.push(t(`services.last.${verdict}`));
    return parts.join(t("list.comma"));
  };
}

/** What is too long for its box, cut; the whole is in its title. */
function clipped(text: string, most: number): string {
  let columns = 0;
  for (const [at, character] of [...text].entries()) {
    columns += /\p{Script=Han}|[\u3000-\u303f\uff00-\uffef]/u.test(character) ? 2 : 1;
    if (columns > most) return `${[...text].slice(0, at - 1).join("")}\u2026`;
  }
  return text;
}
