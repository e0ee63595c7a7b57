import type { enSearch } from "./en-search";

/** The Chinese texts of what the search page does beside showing rows, part of zh-CN.ts. */
export const zhCNSearch: Record<keyof typeof enSearch, string> = {
  "show.label": "显示内容",
  "show.rows": "日志行",
  "show.tail": "实时日志",

  "tail.connecting": "连接中",
  "tail.live": "实时",
  "tail.paused": "已暂停",
  "tail.lost": "连接中断，正在重试",
  "tail.ended": "已结束",
  "tail.pause": "暂停",
  "tail.resume": "继续",
  "tail.resumeNew": "继续，有 {n} 行新日志",
  "tail.rows": "{n} 行，最新的在前",
  "tail.kept": "共 {of} 行中最新的 {n} 行，最新的在前",
  "tail.sampled": "每 {sampled} 行显示 1 行",
  "tail.leftOut": "到达过快，略去 {n} 行",
  "tail.waiting": "正在等待匹配的日志",
  "tail.hint": "新日志会自动出现。阅读、滚动或选中某行时会暂停。",
};
