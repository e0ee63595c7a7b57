//! The text form: `PUTVAL host/plugin-instance/type-instance interval=10 1251533299:197141504:175136768`, a line each. Words with spaces
//! are in quotation marks, in which a backslash keeps the next character.

use super::{Reader, TooManyValues, Types, ValueList, time_ms};

pub(super) fn read(body: &[u8], types: &Types, reader: &mut Reader) -> Result<(), TooManyValues> {
    for line in body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()) {
        if let Err(reason) = read_line(line, types, reader) {
            reader.collector.reject(reason, line, "");
        }
        reader.check_room()?;
    }
    Ok(())
}

fn read_line(line: &[u8], types: &Types, reader: &mut Reader) -> Result<(), String> {
    let text = std::str::from_utf8(line).map_err(|_| "the line is not UTF-8".to_owned())?;
    let words = words(text)?;
    let mut words = words.iter().map(String::as_str);
    match words.next() {
        Some(word) if word.eq_ignore_ascii_case("PUTVAL") => {}
        _ => return Err("the line is no PUTVAL command, and the body no JSON".to_owned()),
    }
    let name = words.next().ok_or("the command names no series: send PUTVAL host/plugin/type time:value")?;
    let mut list = identifier(name)?;
    let sources = types.get(list.kind).ok_or_else(|| {
        format!(
            "the type {:?} is not known: set Format \"JSON\", or name its types.db in ingest.collectd.types_db",
            list.kind
        )
    })?;
    // All of a line is read before the first value is taken.
    let mut readings = Vec::new();
    for word in words.filter(|word| !is_option(word)) {
        let mut parts = word.split(':');
        let time_ms = time(parts.next().unwrap_or_default(), reader)?;
        let values = parts.map(value).collect::<Result<Vec<_>, String>>()?;
        if values.len() != sources.len() {
            let (sent, wanted) = (values.len(), sources.len());
            return Err(format!("{word:?} has {sent} values, the type {:?} has {wanted} sources", list.kind));
        }
        readings.push((time_ms, values));
    }
    if readings.is_empty() {
        return Err("the command has no values: send PUTVAL host/plugin/type time:value".to_owned());
    }
    for (time_ms, values) in readings {
        list.time_ms = time_ms;
        list.values = sources.iter().zip(values).map(|(source, value)| (&*source.name, source.kind, value)).collect();
        reader.value_list(&list)?;
    }
    Ok(())
}

/// An option is `name=value`; a reading begins with its time.
fn is_option(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_'))
}

fn identifier(name: &str) -> Result<ValueList<'_>, String> {
    let mut parts = name.splitn(3, '/');
    let (Some(host), Some(plugin), Some(kind)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(format!("{name:?} names no series: send host/plugin-instance/type-instance"));
    };
    let (plugin, plugin_instance) = plugin.split_once('-').unwrap_or((plugin, ""));
    let (kind, type_instance) = kind.split_once('-').unwrap_or((kind, ""));
    Ok(ValueList { host, plugin, plugin_instance, kind, type_instance, ..ValueList::default() })
}

fn time(word: &str, reader: &Reader) -> Result<i64, String> {
    if word == "N" {
        return Ok(reader.received.millis());
    }
    time_ms(word.parse().map_err(|_| format!("the time {word:?} is not a number of seconds"))?)
}

fn value(word: &str) -> Result<Option<f64>, String> {
    if word == "U" {
        return Ok(None);
    }
    let value: f64 = word.parse().map_err(|_| format!("the value {word:?} is not a number"))?;
    Ok(Some(value).filter(|value| !value.is_nan()))
}

fn words(text: &str) -> Result<Vec<String>, String> {
    let (mut words, mut chars) = (Vec::new(), text.chars().peekable());
    while let Some(first) = chars.next() {
        if first.is_whitespace() {
            continue;
        }
        let mut word = String::new();
        if first != '"' {
            word.push(first);
            while let Some(next) = chars.next_if(|next| !next.is_whitespace()) {
                word.push(next);
            }
        } else {
            loop {
                match chars.next() {
                    Some('"') => break,
                    Some('\\') => word.extend(chars.next()),
                    Some(next) => word.push(next),
                    None => return Err("a quotation mark is not closed".to_owned()),
                }
            }
        }
        words.push(word);
    }
    Ok(words)
}
