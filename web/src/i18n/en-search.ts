/** The English texts of what the search page does beside showing rows. A part of the source catalogue. */
export const enSearch = {
  "show.label": "What to show",
  "show.rows": "Rows",
  "show.tail": "Live tail",

  "tail.connecting": "Connecting",
  "tail.live": "Live",
  "tail.paused": "Paused",
  "tail.lost": "Connection lost, trying again",
  "tail.ended": "Ended",
  "tail.pause": "Pause",
  "tail.resume": "Resume",
  "tail.resumeNew": "Resume, {n, plural, one {# new row} other {# new rows}}",
  "tail.rows": "{n, plural, one {# row} other {# rows}}, newest first",
  "tail.kept": "The newest {n, plural, one {# row} other {# rows}} of {of}, newest first",
  "tail.sampled": "Showing 1 in {sampled}",
  "tail.leftOut": "{n, plural, one {# row} other {# rows}} left out because they come too fast",
  "tail.waiting": "Waiting for rows that match",
  "tail.hint": "New rows appear by themselves. Reading, scrolling or choosing a row pauses.",
} as const;
