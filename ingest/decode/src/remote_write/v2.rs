//! `io.prometheus.write.v2.Request`: every text once, in a table of symbols; metadata and start times within the series.

use model::{Labels, MetricKind, Sample};

use super::series::{Building, Interned, Pair};
use super::{
    LABELS_PER_SERIES_MAX, RemoteWriteError, SYMBOLS_PER_REQUEST_MAX, Sink, Stop, bytes, double, int, kind, unsigned,
    varints,
};
use crate::wire::{Content, Message};

pub(super) fn read(body: &[u8], sink: &mut Sink<'_>) -> Result<(), Stop> {
    let (symbols, series) = symbols(body)?;
    sink.room_for_series(series)?;
    if series > 0 && symbols.first() != Some(&&[][..]) {
        let found = symbols.first().map(|first| String::from_utf8_lossy(first).into_owned());
        return Err(Stop::Error(RemoteWriteError::Symbols { found }));
    }
    let mut texts = Interned::default();
    let mut message = Message::new(body);
    while let Some((number, content)) = message.next()? {
        if number == 5 {
            one_series(bytes(content)?, &symbols, &mut texts, sink)?;
        }
    }
    Ok(())
}

/// The symbols, wherever they are in the body, and how many series there are.
fn symbols(body: &[u8]) -> Result<(Vec<&[u8]>, usize), Stop> {
    let (mut symbols, mut series) = (Vec::new(), 0);
    let mut message = Message::new(body);
    while let Some((number, content)) = message.next()? {
        match number {
            4 if symbols.len() == SYMBOLS_PER_REQUEST_MAX => {
                let (what, max, limit) = ("symbols", SYMBOLS_PER_REQUEST_MAX, "SYMBOLS_PER_REQUEST_MAX");
                return Err(Stop::Error(RemoteWriteError::TooMany { what, max, limit }));
            }
            4 => symbols.push(bytes(content)?),
            5 => series += 1,
            _ => {}
        }
    }
    Ok((symbols, series))
}

fn one_series<'a>(
    message: &[u8],
    symbols: &[&'a [u8]],
    texts: &mut Interned<'a>,
    sink: &mut Sink<'_>,
) -> Result<(), Stop> {
    let mut building = Building::default();
    let (mut refs, mut metadata, mut created_ms) = (Refs::default(), Metadata::default(), 0);
    let mut message = Message::new(message);
    while let Some((number, content)) = message.next()? {
        match number {
            1 => refs.read(content)?,
            2 => building.sample(bytes(content)?, sink)?,
            3 => building.histogram(bytes(content)?, sink)?,
            4 => building.exemplars.push(exemplar(bytes(content)?, symbols, sink)?),
            5 => metadata = Metadata::read(bytes(content)?)?,
            // `created_timestamp` of the release candidates before start times moved to the samples.
            6 => created_ms = int(content)?,
            _ => {}
        }
    }
    building.default_start(created_ms);
    match refs.resolve(symbols) {
        Ok(mut pairs) => {
            if sink.options.type_and_unit_labels {
                metadata.label(symbols, &mut pairs);
            }
            building.pairs = pairs;
        }
        Err(fault) => building.label_fault = Some(fault),
    }
    let (samples, histograms, exemplars) =
        (building.samples.len(), building.histograms.len(), building.exemplars.len());
    let fault = if samples > 0 && histograms > 0 {
        Some("a series must not have both samples and histograms")
    } else if samples + histograms + exemplars + building.faults.len() == 0 {
        // Exemplars alone are taken: Prometheus sends each as a series of its own.
        Some("a series must have at least one sample or histogram")
    } else {
        None
    };
    building.label_fault = building.label_fault.or(fault.map(str::to_owned));
    building.finish(texts, sink, |labels, sink| metadata.keep(labels, symbols, sink));
    Ok(())
}

/// References to symbols: name, value, name, value.
#[derive(Default)]
struct Refs(Vec<u64>);

impl Refs {
    fn read(&mut self, content: Content<'_>) -> Result<(), Stop> {
        varints(content, |reference| {
            // Two more than allowed are kept, so that the check finds them.
            if self.0.len() < 2 * LABELS_PER_SERIES_MAX + 2 {
                self.0.push(reference);
            }
            Ok(())
        })
    }

    fn resolve<'a>(&self, symbols: &[&'a [u8]]) -> Result<Vec<Pair<'a>>, String> {
        let symbol = |reference: u64| {
            let found = usize::try_from(reference).ok().and_then(|at| symbols.get(at));
            found.copied().ok_or_else(|| {
                format!("the label reference {reference} is beyond the {} symbols of the request", symbols.len())
            })
        };
        let (pairs, []) = self.0.as_chunks::<2>() else {
            return Err(format!("there are {} label references, which make no pairs", self.0.len()));
        };
        pairs.iter().map(|[name, value]| Ok((symbol(*name)?, symbol(*value)?))).collect()
    }
}

fn exemplar<'a>(message: &[u8], symbols: &[&'a [u8]], sink: &mut Sink<'_>) -> Result<(Vec<Pair<'a>>, Sample), Stop> {
    sink.count(1)?;
    let (mut refs, mut sample) = (Refs::default(), Sample { time_ms: 0, value: 0.0 });
    let mut message = Message::new(message);
    while let Some((number, content)) = message.next()? {
        match number {
            1 => refs.read(content)?,
            2 => sample.value = double(content)?,
            3 => sample.time_ms = int(content)?,
            _ => {}
        }
    }
    sink.count(refs.0.len() / 2)?;
    // A reference to nothing stands for a label without a name, which is refused with the exemplar.
    let pairs = refs.resolve(symbols).unwrap_or_else(|_| vec![(&[], &[])]);
    Ok((pairs, sample))
}

#[derive(Default)]
struct Metadata {
    kind: u64,
    help: u64,
    unit: u64,
}

impl Metadata {
    fn read(message: &[u8]) -> Result<Self, Stop> {
        let mut metadata = Self::default();
        let mut message = Message::new(message);
        while let Some((number, content)) = message.next()? {
            match number {
                1 => metadata.kind = unsigned(content)?,
                3 => metadata.help = unsigned(content)?,
                4 => metadata.unit = unsigned(content)?,
                _ => {}
            }
        }
        Ok(metadata)
    }

    /// Says type and unit in labels, which replace those that the sender may have set.
    fn label<'a>(&self, symbols: &[&'a [u8]], pairs: &mut Vec<Pair<'a>>) {
        let kind = kind(self.kind);
        let kind = if kind == MetricKind::Unknown { "" } else { kind.as_str() };
        let unit = usize::try_from(self.unit).ok().and_then(|at| symbols.get(at)).copied().unwrap_or_default();
        for (name, value) in [(&b"__type__"[..], kind.as_bytes()), (b"__unit__", unit)] {
            pairs.retain(|(known, _)| *known != name);
            if !value.is_empty() {
                pairs.push((name, value));
            }
        }
    }

    /// Keeps what is known about the metric of a series, under the name without the suffix of a part.
    fn keep(&self, labels: &Labels, symbols: &[&[u8]], sink: &mut Sink<'_>) {
        if self.kind == 0 && self.help == 0 && self.unit == 0 {
            return;
        }
        let text = |reference: u64| {
            let found = usize::try_from(reference).ok().and_then(|at| symbols.get(at)).copied();
            String::from_utf8_lossy(found.unwrap_or_default())
        };
        let kind = kind(self.kind);
        let suffixes: &[&str] = match kind {
            MetricKind::Histogram | MetricKind::GaugeHistogram => &["_bucket", "_sum", "_count"],
            MetricKind::Summary => &["_sum", "_count"],
            _ => &[],
        };
        let name = labels.metric_name();
        let family = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
        sink.metadata(family.to_owned(), kind, &text(self.help), &text(self.unit));
    }
}
