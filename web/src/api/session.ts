/**
 * Who acts. The token lives in sessionStorage: it is gone with the tab, and no other site or tab reads it. The name only signs
 * notes, so it may stay.
 */
const TOKEN = "backstop.token";
const AUTHOR = "backstop.author";

function read(storage: () => Storage, key: string): string {
  try {
    return storage().getItem(key) ?? "";
  } catch {
    return ""; // storage is blocked: it is asked for again
  }
}

function write(storage: () => Storage, key: string, value: string): void {
  try {
    if (value) storage().setItem(key, value);
    else storage().removeItem(key);
  } catch {
    // It then holds until the page is left.
  }
}

let token = read(() => sessionStorage, TOKEN);
let author = read(() => localStorage, AUTHOR);

export const getToken = () => token;
export const getAuthor = () => author;

export function setToken(value: string): void {
  token = value.trim();
  write(() => sessionStorage, TOKEN, token);
}

export function setAuthor(value: string): void {
  author = value.trim();
  write(() => localStorage, AUTHOR, author);
}

/** The header of requests that need a permission; none while there is no token. */
export const authorization = (): Record<string, string> => (token ? { Authorization: `Bearer ${token}` } : {});
