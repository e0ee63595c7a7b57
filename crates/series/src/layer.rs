//! Samples of one series in memory, small: the newest as they are, the others packed.
//!
//! ```text
//! group   bytes of the rest, count, first time, span, times, values, starts          (numbers as varints)
//! times   0 and one step, or 1 and the differences of the steps
//! starts  0 for none, 1 and one for all, 2 and each
//! ```
//! [`GROUP_SAMPLES`] samples become a group. Values are packed as in [`codec`], which finds the decimals in them; a sample of a
//! fleet of hosts takes 4.6 bytes like this, with all room that is kept, and 16 as it is, or up to 32 in a vector that grows by doubling. Groups ascend in time
//! and do not overlap, so that a read unpacks only those that it needs. What comes out of order is put in its place by packing
//! anew. A series with histograms is kept unpacked.

use crate::codec::{self, Corrupt, Reader};
use crate::samples::{Samples, View};

/// Samples that are packed together.
const GROUP_SAMPLES: usize = 16;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layer {
    packed: Vec<u8>,
    packed_count: u32,
    /// Samples after the packed ones.
    tail: Vec<(i64, f64)>,
    /// As many starts, or none.
    tail_starts: Vec<i64>,
    first_ms: i64,
    last_ms: i64,
    /// All samples, once there was a histogram; then there are no others.
    unpacked: Option<Box<Samples>>,
}

/// A group as its head says it.
struct Group<'a> {
    count: usize,
    first_ms: i64,
    last_ms: i64,
    body: &'a [u8],
}

impl Layer {
    pub(crate) fn len(&self) -> usize {
        match &self.unpacked {
            Some(samples) => samples.len(),
            None => self.packed_count as usize + self.tail.len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Times of the first and the last sample.
    pub(crate) fn span(&self) -> Option<(i64, i64)> {
        match &self.unpacked {
            Some(samples) => samples.times.first().copied().zip(samples.times.last().copied()),
            None => (!self.is_empty()).then_some((self.first_ms, self.last_ms)),
        }
    }

    /// Bytes of memory besides the structure itself.
    pub(crate) fn bytes(&self) -> usize {
        let unpacked = self.unpacked.as_ref().map_or(0, |samples| size_of::<Samples>() + samples.bytes());
        self.packed.capacity()
            + self.tail.capacity() * size_of::<(i64, f64)>()
            + self.tail_starts.capacity() * size_of::<i64>()
            + unpacked
    }

    /// Puts one number in its place; at a time that is there already the new one stays.
    pub(crate) fn insert(&mut self, time_ms: i64, value: f64) {
        if let (Some(last), true) = (self.tail.last_mut(), self.tail_starts.is_empty())
            && last.0 == time_ms
        {
            last.1 = value;
            return;
        }
        let is_last = self.is_empty() || self.last_ms < time_ms;
        if !is_last || self.unpacked.is_some() || !self.tail_starts.is_empty() {
            self.lay_over(View::of(&[time_ms], &[value]));
            return;
        }
        if self.is_empty() {
            self.first_ms = time_ms;
        }
        self.last_ms = time_ms;
        self.push((time_ms, value));
        if self.tail.len() >= GROUP_SAMPLES {
            self.pack_tail();
        }
    }

    /// Lays newer writes over these samples: where both have a time, the newer one stays.
    pub(crate) fn lay_over(&mut self, newer: View<'_>) {
        let (Some(first), Some(last)) = (newer.times.first(), newer.times.last()) else { return };
        if let Some(samples) = &mut self.unpacked {
            samples.lay_over(newer);
            return;
        }
        let after = self.span().is_none_or(|(_, last_ms)| last_ms < *first);
        if !newer.histograms.is_empty() {
            let mut samples = self.samples();
            samples.lay_over(newer);
            *self = Self::from(samples);
        } else if after {
            self.extend(newer, (*first, *last));
        } else {
            let mut samples = self.split_off(*first);
            samples.lay_over(newer);
            if let (Some(first), Some(last)) = (samples.times.first(), samples.times.last()) {
                self.extend(samples.view(), (*first, *last));
            }
        }
    }

    /// Puts samples without histograms behind the last one.
    fn extend(&mut self, newer: View<'_>, (first_ms, last_ms): (i64, i64)) {
        if self.is_empty() {
            self.first_ms = first_ms;
        }
        self.last_ms = last_ms;
        if !newer.starts.is_empty() {
            self.tail_starts.resize(self.tail.len(), 0);
        }
        for (at, (time, value)) in newer.times.iter().zip(newer.values).enumerate() {
            self.push((*time, *value));
            if !newer.starts.is_empty() || !self.tail_starts.is_empty() {
                self.tail_starts.resize(self.tail.len() - 1, 0);
                self.tail_starts.push(newer.starts.get(at).copied().unwrap_or(0));
            }
            if self.tail.len() >= GROUP_SAMPLES {
                self.pack_tail();
            }
        }
    }

    /// Takes samples of another layer in, which are newer writes.
    pub(crate) fn absorb(&mut self, newer: Self) {
        let after = self.span().zip(newer.span()).is_none_or(|((_, last), (first, _))| last < first);
        if self.is_empty() {
            *self = newer;
        } else if after && self.unpacked.is_none() && newer.unpacked.is_none() && !newer.packed.is_empty() {
            self.pack_tail();
            self.reserve(newer.packed.len());
            self.packed.extend_from_slice(&newer.packed);
            self.packed_count += newer.packed_count;
            (self.tail, self.tail_starts, self.last_ms) = (newer.tail, newer.tail_starts, newer.last_ms);
        } else {
            self.lay_over(newer.samples().view());
        }
    }

    /// All samples.
    pub(crate) fn samples(&self) -> Samples {
        self.range(i64::MIN, i64::MAX)
    }

    /// The samples from `start_ms` to `end_ms`, both included.
    pub(crate) fn range(&self, start_ms: i64, end_ms: i64) -> Samples {
        if let Some(samples) = &self.unpacked {
            return Samples::from(samples.range(start_ms, end_ms));
        }
        let mut found = Samples::default();
        if self.is_empty() || self.first_ms > end_ms || self.last_ms < start_ms {
            return found;
        }
        let mut reader = Reader(&self.packed);
        // What this program packed a moment ago is not damaged; were it, the rest would be missing, and a debug build says so.
        while let Some(group) = next_group(&mut reader) {
            if group.last_ms < start_ms || group.first_ms > end_ms {
                continue;
            }
            let unpacked = unpack(&group, &mut found);
            debug_assert!(unpacked.is_ok(), "a packed group cannot be read");
        }
        self.copy_tail(&mut found);
        let inside = found.times.first().is_some_and(|first| *first >= start_ms)
            && found.times.last().is_some_and(|last| *last <= end_ms);
        if inside { found } else { Samples::from(found.range(start_ms, end_ms)) }
    }

    fn copy_tail(&self, out: &mut Samples) {
        out.times.extend(self.tail.iter().map(|(time, _)| *time));
        out.values.extend(self.tail.iter().map(|(_, value)| *value));
        if !self.tail_starts.is_empty() {
            out.starts.resize(out.len() - self.tail.len(), 0);
            out.starts.extend_from_slice(&self.tail_starts);
        }
        if !out.starts.is_empty() {
            out.starts.resize(out.len(), 0);
        }
    }

    /// Takes out what is at `from_ms` or later, and what is packed with it. What is left is ready for [`Self::extend`], with which
    /// some of what was taken out must come back. So a late sample costs what comes after it, not the whole layer.
    fn split_off(&mut self, from_ms: i64) -> Samples {
        let mut rest = Samples::default();
        if self.tail.first().is_none_or(|(first, _)| *first > from_ms) {
            let (mut kept, mut count) = (0, 0);
            let mut reader = Reader(&self.packed);
            while let Some(group) = next_group(&mut reader) {
                if group.last_ms < from_ms {
                    (kept, count) = (self.packed.len() - reader.0.len(), count + group.count as u32);
                    continue;
                }
                let unpacked = unpack(&group, &mut rest);
                debug_assert!(unpacked.is_ok(), "a packed group cannot be read");
            }
            self.packed.truncate(kept);
            self.packed_count = count;
        }
        self.copy_tail(&mut rest);
        self.tail.clear();
        self.tail_starts.clear();
        rest
    }

    /// A copy that has all samples from `start_ms` to `end_ms`, and perhaps others: what is packed stays packed.
    pub(crate) fn around(&self, start_ms: i64, end_ms: i64) -> Self {
        let whole = self.unpacked.is_some() || self.first_ms >= start_ms && self.last_ms <= end_ms;
        if self.span().is_none_or(|(first, last)| first > end_ms || last < start_ms) {
            return Self::default();
        }
        if whole {
            return match &self.unpacked {
                Some(samples) => Self::from(Samples::from(samples.range(start_ms, end_ms))),
                None => self.clone(),
            };
        }
        let (mut from, mut to, mut count) = (None, 0, 0);
        let mut reader = Reader(&self.packed);
        loop {
            let before = self.packed.len() - reader.0.len();
            let Some(group) = next_group(&mut reader) else { break };
            if group.last_ms >= start_ms && group.first_ms <= end_ms {
                from.get_or_insert(before);
                to = self.packed.len() - reader.0.len();
                count += group.count as u32;
            }
        }
        let packed = from.map_or_else(Vec::new, |from| self.packed[from..to].to_vec());
        Self {
            packed,
            packed_count: count,
            tail: self.tail.clone(),
            tail_starts: self.tail_starts.clone(),
            first_ms: self.first_ms,
            last_ms: self.last_ms,
            unpacked: None,
        }
    }

    /// Forgets the samples from `start_ms` to `end_ms`, both included.
    pub(crate) fn remove_range(&mut self, start_ms: i64, end_ms: i64) {
        if self.span().is_some_and(|(first, last)| first <= end_ms && last >= start_ms) {
            let mut samples = self.samples();
            samples.remove_range(start_ms, end_ms);
            *self = Self::from(samples);
        }
    }

    /// Forgets what is before `floor_ms`.
    pub(crate) fn drop_before(&mut self, floor_ms: i64) {
        match self.span() {
            Some((_, last)) if last < floor_ms => *self = Self::default(),
            Some((first, _)) if first < floor_ms => *self = Self::from(self.range(floor_ms, i64::MAX)),
            _ => {}
        }
    }

    /// Makes room for some more bytes; a quarter of what is there in advance, not as much again as a vector would.
    fn reserve(&mut self, more: usize) {
        if self.packed.capacity() - self.packed.len() < more {
            self.packed.reserve_exact(more + self.packed.len() / 4);
        }
    }

    /// Puts a sample behind the tail. The tail doubles from one on, where a vector would begin with four: of a million series each has a
    /// sample or two between flushes.
    fn push(&mut self, sample: (i64, f64)) {
        if self.tail.len() == self.tail.capacity() {
            self.tail.reserve_exact(self.tail.len().max(1));
        }
        self.tail.push(sample);
    }

    fn pack_tail(&mut self) {
        let (Some((first_ms, _)), Some((last_ms, _))) = (self.tail.first(), self.tail.last()) else { return };
        let mut body = Vec::with_capacity(GROUP_SAMPLES * 8);
        codec::put_varint(&mut body, self.tail.len() as u64);
        codec::put_signed(&mut body, *first_ms);
        codec::put_varint(&mut body, last_ms.wrapping_sub(*first_ms) as u64);
        put_steps(&mut body, &self.tail);
        let values: Vec<f64> = self.tail.iter().map(|(_, value)| *value).collect();
        codec::put_values(&mut body, &values);
        put_starts(&mut body, &self.tail_starts);
        self.reserve(body.len() + 3);
        codec::put_varint(&mut self.packed, body.len() as u64);
        self.packed.extend_from_slice(&body);
        self.packed_count += self.tail.len() as u32;
        self.tail.clear();
        self.tail_starts.clear();
    }
}

impl From<Samples> for Layer {
    fn from(samples: Samples) -> Self {
        let mut layer = Self::default();
        if samples.histograms.is_empty() {
            layer.lay_over(samples.view());
        } else {
            layer.unpacked = Some(Box::new(samples));
        }
        layer
    }
}

fn put_steps(out: &mut Vec<u8>, samples: &[(i64, f64)]) {
    let steps = || samples.windows(2).map(|pair| pair[1].0.wrapping_sub(pair[0].0));
    let step = steps().next().unwrap_or(0);
    if steps().all(|other| other == step) {
        out.push(0);
        codec::put_signed(out, step);
        return;
    }
    out.push(1);
    let mut last = 0;
    for step in steps() {
        codec::put_signed(out, step.wrapping_sub(last));
        last = step;
    }
}

fn put_starts(out: &mut Vec<u8>, starts: &[i64]) {
    let Some(first) = starts.first() else { return out.push(0) };
    if starts.iter().all(|start| start == first) {
        out.push(1);
        return codec::put_signed(out, *first);
    }
    out.push(2);
    let mut last = 0;
    for start in starts {
        codec::put_signed(out, start.wrapping_sub(last));
        last = *start;
    }
}

fn next_group<'a>(reader: &mut Reader<'a>) -> Option<Group<'a>> {
    let len = reader.count().ok()?;
    let mut body = Reader(reader.bytes(len).ok()?);
    let count = usize::try_from(body.varint().ok()?).ok()?;
    let first_ms = body.signed().ok()?;
    let span = body.varint().ok()?;
    Some(Group { count, first_ms, last_ms: first_ms.wrapping_add(span as i64), body: body.0 })
}

/// Unpacks a group behind the samples before it.
fn unpack(group: &Group<'_>, out: &mut Samples) -> Result<(), Corrupt> {
    let mut reader = Reader(group.body);
    let mut time = group.first_ms;
    out.times.reserve(group.count);
    out.times.push(time);
    let regular = reader.byte()? == 0;
    let mut step = if regular { reader.signed()? } else { 0 };
    for _ in 1..group.count {
        if !regular {
            step = step.wrapping_add(reader.signed()?);
        }
        time = time.wrapping_add(step);
        out.times.push(time);
    }
    codec::read_values_to(&mut reader, group.count, &mut out.values)?;
    let form = reader.byte()?;
    if form != 0 || !out.starts.is_empty() {
        out.starts.resize(out.times.len() - group.count, 0);
    }
    match form {
        0 => {}
        1 => out.starts.resize(out.times.len(), reader.signed()?),
        _ => {
            let mut last = 0i64;
            for _ in 0..group.count {
                last = last.wrapping_add(reader.signed()?);
                out.starts.push(last);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::{FloatHistogram, stale_nan};
    use proptest::prelude::*;

    use super::*;

    fn shown(samples: &Samples) -> Vec<(i64, u64, Option<u64>, i64)> {
        let slot = |at: usize| samples.histograms.get(at).and_then(Option::as_ref).map(|found| found.count.to_bits());
        let start = |at: usize| samples.starts.get(at).copied().unwrap_or(0);
        (0..samples.len()).map(|at| (samples.times[at], samples.values[at].to_bits(), slot(at), start(at))).collect()
    }

    /// One sample or a few neighbours: a number of any bits, perhaps with a start, or a histogram.
    fn write() -> impl Strategy<Value = Samples> {
        let value = prop_oneof![
            4 => (-50i32..50).prop_map(f64::from),
            2 => any::<u64>().prop_map(f64::from_bits),
            1 => Just(stale_nan()),
            1 => Just(-0.0),
        ];
        let extreme = prop_oneof![40 => -9i64..300, 1 => Just(i64::MIN), 1 => Just(i64::MAX - 40)];
        (extreme, prop::collection::vec(value, 1..40), 0u8..12).prop_map(|(first, values, kind)| {
            let times: Vec<i64> = (0..values.len() as i64).map(|at| first + at).collect();
            let mut samples = Samples { times, values, ..Samples::default() };
            match kind {
                0 => samples.starts = samples.times.iter().map(|time| time / 7).collect(),
                1 => {
                    let histogram = FloatHistogram { count: samples.values[0], ..FloatHistogram::default() };
                    samples.histograms = vec![Some(Arc::new(histogram)); samples.len()];
                    samples.values.fill(0.0);
                }
                _ => {}
            }
            samples
        })
    }

    proptest! {
        #[test]
        fn a_layer_is_what_plain_columns_are(
            writes in prop::collection::vec(write(), 0..12), from in -20i64..320, len in 0i64..200, cut in 0usize..12,
        ) {
            let (mut plain, mut layer, mut newer) = (Samples::default(), Layer::default(), Layer::default());
            for (at, write) in writes.iter().enumerate() {
                plain.lay_over(write.view());
                let into = if at < cut { &mut layer } else { &mut newer };
                if write.len() == 1 && write.starts.is_empty() && write.histograms.is_empty() {
                    into.insert(write.times[0], write.values[0]);
                } else {
                    into.lay_over(write.view());
                }
            }
            layer.absorb(newer);
            prop_assert_eq!(shown(&layer.samples()), shown(&plain));
            prop_assert_eq!(layer.len(), plain.len());
            let span = plain.times.first().copied().zip(plain.times.last().copied());
            prop_assert_eq!(layer.span(), span);
            prop_assert_eq!(shown(&layer.range(from, from + len)), shown(&Samples::from(plain.range(from, from + len))));
            let around = layer.around(from, from + len);
            prop_assert_eq!(shown(&around.range(from, from + len)), shown(&layer.range(from, from + len)));
            layer.remove_range(from, from + len);
            plain.remove_range(from, from + len);
            prop_assert_eq!(shown(&layer.samples()), shown(&plain));
            layer.drop_before(from + len);
            plain.remove_range(i64::MIN, from + len - 1);
            prop_assert_eq!(shown(&layer.samples()), shown(&plain));
        }
    }

    #[test]
    fn a_regular_counter_is_small() {
        let mut layer = Layer::default();
        for at in 0..160 {
            layer.insert(1_700_000_000_000 + at * 15_000, (at * 100 + at % 7) as f64);
        }
        assert!(layer.bytes() < 160 * 4 + 256, "{} bytes", layer.bytes());
    }
}
