//! `prometheus.WriteRequest`: labels as texts, metadata beside the series.

use model::Sample;

use super::series::{Building, Interned, Pair};
use super::{LABELS_PER_SERIES_MAX, Sink, Stop, bytes, double, int, kind, unsigned};
use crate::wire::{Message, Odd};

pub(super) fn read(body: &[u8], sink: &mut Sink<'_>) -> Result<(), Stop> {
    let mut texts = Interned::default();
    let mut building = Building::default();
    let mut series = 0;
    let mut message = Message::new(body);
    while let Some((number, content)) = message.next()? {
        match number {
            1 => {
                series += 1;
                sink.room_for_series(series)?;
                let content = bytes(content)?;
                if series == 1 {
                    sink.expect_series(body.len() / content.len().max(1));
                }
                one_series(content, &mut building, &mut texts, sink)?;
            }
            3 => metadata(bytes(content)?, sink)?,
            _ => {}
        }
    }
    Ok(())
}

/// `building` is that of the series before, of which room for labels is left.
fn one_series<'a>(
    message: &'a [u8],
    building: &mut Building<'a>,
    texts: &mut Interned<'a>,
    sink: &mut Sink<'_>,
) -> Result<(), Stop> {
    building.reset();
    let (form, rest) = message.split_at(labels_len(message));
    building.known = sink.known.labels_of_form(form);
    if building.known.is_none() {
        read_labels(form, building)?;
        building.form = Some(form);
    }
    let mut message = Message::new(rest);
    while let Some((number, content)) = message.next()? {
        match number {
            1 => {
                // Labels behind samples, which nobody writes: then there is no form to know them by.
                if building.known.take().is_some() {
                    read_labels(form, building)?;
                }
                building.form = None;
                Building::pair(&mut building.pairs, label(bytes(content)?)?);
            }
            2 => building.sample(bytes(content)?, sink)?,
            3 => building.exemplars.push(exemplar(bytes(content)?, sink)?),
            4 => building.histogram(bytes(content)?, sink)?,
            _ => {}
        }
    }
    building.finish(texts, sink, |_, _| {});
    Ok(())
}

/// How long the labels are that a series begins with.
fn labels_len(message: &[u8]) -> usize {
    /// Field 1, of bytes.
    const LABEL: u8 = 1 << 3 | 2;
    let mut at = 0;
    // A label of 128 bytes or more has two bytes of length or more.
    while let [LABEL, len, rest @ ..] = &message[at..] {
        let (len, head) = match (len, rest.first()) {
            (0..0x80, _) => (usize::from(*len), 2),
            (_, Some(more @ 0..0x80)) => (usize::from(*len & 0x7f) | usize::from(*more) << 7, 3),
            _ => break,
        };
        if message.len() - at < head + len {
            break;
        }
        at += head + len;
    }
    at
}

fn read_labels<'a>(form: &'a [u8], building: &mut Building<'a>) -> Result<(), Stop> {
    let mut message = Message::new(form);
    while let Some((_, content)) = message.next()? {
        Building::pair(&mut building.pairs, label(bytes(content)?)?);
    }
    Ok(())
}

fn label(message: &[u8]) -> Result<Pair<'_>, Odd> {
    let (mut name, mut value) = (&[][..], &[][..]);
    let mut message = Message::new(message);
    while let Some((number, content)) = message.next()? {
        match number {
            1 => name = bytes(content)?,
            2 => value = bytes(content)?,
            _ => {}
        }
    }
    Ok((name, value))
}

fn exemplar<'a>(message: &'a [u8], sink: &mut Sink<'_>) -> Result<(Vec<Pair<'a>>, Sample), Stop> {
    sink.count(1)?;
    let (mut pairs, mut sample) = (Vec::new(), Sample { time_ms: 0, value: 0.0 });
    let mut message = Message::new(message);
    while let Some((number, content)) = message.next()? {
        match number {
            1 if pairs.len() > LABELS_PER_SERIES_MAX => {}
            1 => {
                sink.count(1)?;
                pairs.push(label(bytes(content)?)?);
            }
            2 => sample.value = double(content)?,
            3 => sample.time_ms = int(content)?,
            _ => {}
        }
    }
    Ok((pairs, sample))
}

fn metadata(message: &[u8], sink: &mut Sink<'_>) -> Result<(), Stop> {
    sink.count(1)?;
    let (mut type_number, mut name, mut help, mut unit) = (0, &[][..], &[][..], &[][..]);
    let mut message = Message::new(message);
    while let Some((number, content)) = message.next()? {
        match number {
            1 => type_number = unsigned(content)?,
            2 => name = bytes(content)?,
            4 => help = bytes(content)?,
            5 => unit = bytes(content)?,
            _ => {}
        }
    }
    let text = String::from_utf8_lossy;
    if name.is_empty() {
        sink.reject("metadata names no metric", &text(help), 1);
    } else {
        sink.metadata(text(name).into_owned(), kind(type_number), &text(help), &text(unit));
    }
    Ok(())
}
