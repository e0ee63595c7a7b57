//! Graphite's pickle protocol: a length of four bytes, then a pickled list of `(path, (time, value))`.
//!
//! Only what builds such a list is read: numbers, texts, tuples, lists and the memo. Nothing is ever imported or called; a pickle that wants
//! that is refused.

use std::sync::Arc;

/// Longest message. Graphite's relays send 500 points at a time.
pub const PICKLE_BYTES_MAX: usize = 1024 * 1024;

/// Objects of one message, so that shared ones do not multiply.
const OBJECTS_MAX: usize = 200_000;

/// Lists within lists. A list of `(path, (time, value))` has three.
const NESTING_MAX: u8 = 4;

/// Bytes of all texts that a message takes from its memo: each of them is made a series' labels anew, whatever little it costs to refer to
/// it. A message of points of one series, as short as they can be written, has room for its path of a thousand bytes.
const RECALLED_BYTES_MAX: usize = 64 * PICKLE_BYTES_MAX;

/// Cuts a stream into messages.
#[derive(Debug, Default)]
pub struct PickleFrames {
    buffer: Vec<u8>,
}

/// A message above [`PICKLE_BYTES_MAX`]: where the next one begins can not be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message of {0} bytes was announced, {PICKLE_BYTES_MAX} are allowed: is this Graphite's pickle protocol?")]
pub struct TooLong(pub u32);

impl PickleFrames {
    /// Takes bytes as they come, and gives the messages that are whole.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, TooLong> {
        self.buffer.extend_from_slice(bytes);
        let (mut messages, mut at) = (Vec::new(), 0);
        while let Some((length, rest)) = self.buffer[at..].split_first_chunk::<4>() {
            let length = u32::from_be_bytes(*length);
            if length as usize > PICKLE_BYTES_MAX {
                return Err(TooLong(length));
            }
            let Some(message) = rest.get(..length as usize) else { break };
            messages.push(message.to_vec());
            at += 4 + length as usize;
        }
        self.buffer.drain(..at);
        Ok(messages)
    }

    /// Bytes held back for a message that is not whole.
    pub fn pending_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Ends the stream; gives what is left of a message.
    pub fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.buffer)
    }
}

/// A point of a message.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PicklePoint {
    pub(super) path: Arc<str>,
    pub(super) time_s: f64,
    pub(super) value: f64,
}

/// An object on the stack.
#[derive(Clone, Debug)]
enum Object {
    Mark,
    Nothing,
    Number(f64),
    /// Shared with the memo, so that a text that is used often is in memory once.
    Text(Arc<str>),
    List(List),
}

/// A list or a tuple.
#[derive(Clone, Debug)]
struct List {
    items: Vec<Object>,
    /// Lists within each other, this one included; at most [`NESTING_MAX`], because they are also dropped within each other.
    depth: u8,
}

impl List {
    fn new(items: Vec<Object>) -> Result<Self, String> {
        let mut list = Self { items: Vec::new(), depth: 1 };
        list.extend(items)?;
        Ok(list)
    }

    fn extend(&mut self, items: Vec<Object>) -> Result<(), String> {
        let inner = items.iter().map(|item| if let Object::List(list) = item { list.depth } else { 0 }).max();
        self.depth = self.depth.max(1 + inner.unwrap_or_default());
        if self.depth > NESTING_MAX {
            return Err(format!("the pickle has more than {NESTING_MAX} lists within each other"));
        }
        if self.items.is_empty() {
            self.items = items;
        } else {
            self.items.extend(items);
        }
        Ok(())
    }
}

/// The points of a message, each by itself; or why it is none.
pub(super) fn read(message: &[u8]) -> Result<Vec<Result<PicklePoint, String>>, String> {
    let mut machine = Machine { rest: message, stack: Vec::new(), memo: Vec::new(), objects: 0, recalled_bytes: 0 };
    let Object::List(points) = machine.run()? else { return Err("the pickle is no list of points".to_owned()) };
    Ok(points.items.into_iter().map(point).collect())
}

fn point(object: Object) -> Result<PicklePoint, String> {
    let fault = || "a point of the pickle is not (path, (time, value))".to_owned();
    let Object::List(parts) = object else { return Err(fault()) };
    let [Object::Text(path), Object::List(pair)] = &parts.items[..] else { return Err(fault()) };
    let [time, value] = &pair.items[..] else { return Err(fault()) };
    let number = |object: &Object| match object {
        Object::Number(number) => Some(*number),
        Object::Text(text) => text.trim().parse().ok(),
        _ => None,
    };
    match (number(time), number(value)) {
        (Some(time_s), Some(value)) => Ok(PicklePoint { path: Arc::clone(path), time_s, value }),
        _ => Err(fault()),
    }
}

struct Machine<'a> {
    rest: &'a [u8],
    stack: Vec<Object>,
    memo: Vec<(u32, Object)>,
    objects: usize,
    recalled_bytes: usize,
}

impl Machine<'_> {
    fn run(&mut self) -> Result<Object, String> {
        loop {
            let [code] = self.bytes::<1>()?;
            match code {
                b'.' => return self.pop(),
                0x80 => drop(self.bytes::<1>()?),
                0x95 => drop(self.bytes::<8>()?),
                _ => self.step(code)?,
            }
            if self.objects > OBJECTS_MAX {
                return Err(format!("the pickle has more than {OBJECTS_MAX} objects"));
            }
        }
    }

    fn step(&mut self, code: u8) -> Result<(), String> {
        match code {
            b'(' => self.push(Object::Mark),
            b']' | b')' => self.push(Object::List(List::new(Vec::new())?)),
            b'N' => self.push(Object::Nothing),
            b't' | b'l' => self.gather()?,
            0x85 => self.tuple(1)?,
            0x86 => self.tuple(2)?,
            0x87 => self.tuple(3)?,
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])?;
            }
            b'e' => {
                let items = self.since_mark()?;
                self.append(items)?;
            }
            b'q' => {
                let [at] = self.bytes::<1>()?;
                self.remember(u32::from(at))?;
            }
            b'r' => {
                let at = u32::from_le_bytes(self.bytes()?);
                self.remember(at)?;
            }
            0x94 => self.remember(u32::try_from(self.memo.len()).unwrap_or(u32::MAX))?,
            b'p' => {
                let at = self.line()?.parse().map_err(|_| "the pickle's memo is damaged".to_owned())?;
                self.remember(at)?;
            }
            b'h' => {
                let [at] = self.bytes::<1>()?;
                self.recall(u32::from(at))?;
            }
            b'j' => {
                let at = u32::from_le_bytes(self.bytes()?);
                self.recall(at)?;
            }
            b'g' => {
                let at = self.line()?.parse().map_err(|_| "the pickle's memo is damaged".to_owned())?;
                self.recall(at)?;
            }
            _ => return self.value(code),
        }
        Ok(())
    }

    /// Numbers and texts.
    fn value(&mut self, code: u8) -> Result<(), String> {
        let object = match code {
            b'K' => Object::Number(f64::from(self.bytes::<1>()?[0])),
            b'M' => Object::Number(f64::from(u16::from_le_bytes(self.bytes()?))),
            b'J' => Object::Number(f64::from(i32::from_le_bytes(self.bytes()?))),
            b'G' => Object::Number(f64::from_be_bytes(self.bytes()?)),
            0x88 => Object::Number(1.0),
            0x89 => Object::Number(0.0),
            0x8a => self.long()?,
            b'I' | b'L' | b'F' => {
                let text = self.line()?;
                let text = text.trim_end_matches('L');
                Object::Number(text.parse().map_err(|_| format!("the pickle has {text:?} for a number"))?)
            }
            b'X' | b'T' | b'B' => {
                let length = u32::from_le_bytes(self.bytes()?);
                self.text(length as usize)?
            }
            0x8c | b'U' | b'C' => {
                let [length] = self.bytes::<1>()?;
                self.text(usize::from(length))?
            }
            b'V' | b'S' => {
                let text = self.line()?;
                let quoted = text.len() >= 2 && (text.starts_with('\'') || text.starts_with('"')) && code == b'S';
                Object::Text(if quoted { text[1..text.len() - 1].into() } else { text.into() })
            }
            other => {
                return Err(format!(
                    "the pickle has the instruction {other:#04x}, which no list of points needs and nothing here runs"
                ));
            }
        };
        self.push(object);
        Ok(())
    }

    fn push(&mut self, object: Object) {
        self.objects += 1;
        self.stack.push(object);
    }

    fn pop(&mut self) -> Result<Object, String> {
        self.stack.pop().ok_or_else(|| "the pickle ends in the middle".to_owned())
    }

    fn since_mark(&mut self) -> Result<Vec<Object>, String> {
        let at = self.stack.iter().rposition(|object| matches!(object, Object::Mark));
        let at = at.ok_or_else(|| "the pickle has an end without a beginning".to_owned())?;
        let items = self.stack.split_off(at + 1);
        self.stack.pop();
        Ok(items)
    }

    fn gather(&mut self) -> Result<(), String> {
        let items = self.since_mark()?;
        self.push(Object::List(List::new(items)?));
        Ok(())
    }

    fn tuple(&mut self, count: usize) -> Result<(), String> {
        let at = self.stack.len().checked_sub(count).ok_or_else(|| "the pickle ends in the middle".to_owned())?;
        let items = self.stack.split_off(at);
        self.push(Object::List(List::new(items)?));
        Ok(())
    }

    fn append(&mut self, items: Vec<Object>) -> Result<(), String> {
        match self.stack.last_mut() {
            Some(Object::List(list)) => list.extend(items),
            _ => Err("the pickle appends to what is no list".to_owned()),
        }
    }

    /// Keeps the newest object under a number. A list that grows afterwards is remembered as it is now: no sender shares those.
    fn remember(&mut self, at: u32) -> Result<(), String> {
        let Some(object) = self.stack.last() else { return Err("the pickle ends in the middle".to_owned()) };
        // Lists and tuples are not shared by senders, and copies of them could multiply.
        let object = if matches!(object, Object::List(_)) { Object::Nothing } else { object.clone() };
        self.objects += 1;
        self.memo.push((at, object));
        Ok(())
    }

    fn recall(&mut self, at: u32) -> Result<(), String> {
        // Memos are numbered in order by every writer; others are searched.
        let known = self.memo.get(at as usize).filter(|(known, _)| *known == at);
        let known = known.or_else(|| self.memo.iter().rev().find(|(known, _)| *known == at));
        let object = known.map(|(_, object)| object.clone()).ok_or("the pickle refers to what is not there")?;
        if let Object::Text(text) = &object {
            self.recalled_bytes += text.len();
            if self.recalled_bytes > RECALLED_BYTES_MAX {
                return Err(format!(
                    "the pickle's texts, as often as they are used, have more than {RECALLED_BYTES_MAX} bytes"
                ));
            }
        }
        self.push(object);
        Ok(())
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let (bytes, rest) = self.rest.split_first_chunk::<N>().ok_or("the pickle is cut off")?;
        self.rest = rest;
        Ok(*bytes)
    }

    fn text(&mut self, length: usize) -> Result<Object, String> {
        let (text, rest) = self.rest.split_at_checked(length).ok_or("the pickle is cut off")?;
        self.rest = rest;
        std::str::from_utf8(text).map(|text| Object::Text(text.into())).map_err(|_| "a text is not UTF-8".to_owned())
    }

    fn line(&mut self) -> Result<String, String> {
        let end = memchr::memchr(b'\n', self.rest).ok_or("the pickle is cut off")?;
        let (line, rest) = self.rest.split_at(end);
        self.rest = &rest[1..];
        std::str::from_utf8(line).map(str::to_owned).map_err(|_| "a text is not UTF-8".to_owned())
    }

    /// A whole number of up to eight bytes.
    fn long(&mut self) -> Result<Object, String> {
        let [length] = self.bytes::<1>()?;
        let (bytes, rest) = self.rest.split_at_checked(usize::from(length)).ok_or("the pickle is cut off")?;
        self.rest = rest;
        if bytes.len() > 8 {
            return Err("the pickle has a number of more than 64 bits".to_owned());
        }
        let fill = if bytes.last().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0 };
        let mut whole = [fill; 8];
        whole[..bytes.len()].copy_from_slice(bytes);
        Ok(Object::Number(i64::from_le_bytes(whole) as f64))
    }
}
