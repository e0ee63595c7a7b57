//! Which group a row belongs to.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int64Type, TimestampNanosecondType};
use arrow_array::{Array as _, ArrayRef, RecordBatch, StringArray, TimestampNanosecondArray};
use column::{DictColumn, FieldView};
use model::field;

/// What rows are grouped by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Key {
    /// The text of a field; a missing one counts as empty.
    Text(String),
    /// The start of the step of this many nanoseconds that `_time` is in.
    Bucket(i64),
}

impl Key {
    /// The name of its column.
    pub(crate) fn name(&self) -> &str {
        match self {
            Key::Text(name) => name,
            Key::Bucket(_) => field::TIME,
        }
    }
}

/// The value of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyValue<'a> {
    Text(Cow<'a, str>),
    Bucket(i64),
}

/// The first time of the bucket that a time is in.
pub(crate) fn bucket_of(time: i64, step_ns: i64) -> i64 {
    time.saturating_sub(time.rem_euclid(step_ns))
}

/// Multiplies and folds: keys are small numbers that nobody chooses to collide.
#[derive(Default)]
pub(crate) struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, n: u64) {
        let wide = u128::from(self.0 ^ n ^ 0x9E37_79B9_7F4A_7C15) * 0xD6E8_FEB8_6659_FD93;
        self.0 = (wide >> 64) as u64 ^ wide as u64;
    }

    fn write_i64(&mut self, n: i64) {
        self.write_u64(n.cast_unsigned());
    }

    fn write_u32(&mut self, n: u32) {
        self.write_u64(n.into());
    }
}

/// A map from numbers.
pub(crate) type NumberMap<K, V> = HashMap<K, V, BuildHasherDefault<NumberHasher>>;

/// Texts with numbers in the order of their first appearance.
#[derive(Default)]
pub(crate) struct Texts {
    numbers: HashMap<Arc<str>, u32>,
    /// Of integers that came as such, so that their text is made once.
    integers: NumberMap<i64, u32>,
    list: Vec<Arc<str>>,
    bytes: usize,
}

/// Bookkeeping of one text, roughly.
const TEXT_OVERHEAD_BYTES: usize = 64;

impl Texts {
    pub(crate) fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = self.list.len() as u32;
        let text: Arc<str> = text.into();
        self.bytes += text.len() + TEXT_OVERHEAD_BYTES;
        self.list.push(Arc::clone(&text));
        self.numbers.insert(text, number);
        number
    }

    fn number_of_integer(&mut self, n: i64) -> u32 {
        if let Some(number) = self.integers.get(&n) {
            return *number;
        }
        let number = self.number(&n.to_string());
        self.integers.insert(n, number);
        number
    }

    pub(crate) fn list(&self) -> &[Arc<str>] {
        &self.list
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The numbers of a field's texts, row by row; a missing value has the empty text.
    pub(crate) fn number_all(&mut self, stored: &RecordBatch, name: &str, rows: &[u32]) -> Vec<u32> {
        let view = FieldView::new(stored, name);
        let array = if name == column::OVERFLOW { None } else { stored.column_by_name(name) };
        if let Some(dict) = array.and_then(DictColumn::of) {
            return self.number_dict(&view, dict, rows);
        }
        let integers = array.and_then(|array| array.as_primitive_opt::<Int64Type>());
        let mut last: Option<(Cow<'_, str>, u32)> = None;
        let mut number = |texts: &mut Self, row: usize| {
            if let Some(integers) = integers.filter(|integers| integers.is_valid(row)) {
                return texts.number_of_integer(integers.value(row));
            }
            let text = view.text(row).unwrap_or_default();
            match &last {
                // Rows come sorted by stream: most texts are those of the row before.
                Some((known, number)) if *known == text => *number,
                _ => {
                    let number = texts.number(&text);
                    last = Some((text, number));
                    number
                }
            }
        };
        rows.iter().map(|row| number(self, *row as usize)).collect()
    }

    fn number_dict(&mut self, view: &FieldView<'_>, dict: DictColumn<'_>, rows: &[u32]) -> Vec<u32> {
        const UNKNOWN: u32 = u32::MAX;
        let mut known = vec![UNKNOWN; dict.values().len()];
        let mut number = |row: usize| {
            if dict.is_null(row) {
                return self.number(&view.text(row).unwrap_or_default());
            }
            let key = dict.keys().value(row) as usize;
            if known[key] == UNKNOWN {
                known[key] = self.number(dict.values().value(key));
            }
            known[key]
        };
        rows.iter().map(|row| number(*row as usize)).collect()
    }
}

/// The values of one key, with numbers.
enum Values {
    Text(String, Texts),
    Bucket(i64, Vec<i64>, NumberMap<i64, u32>),
}

impl Values {
    fn number_all(&mut self, stored: &RecordBatch, rows: &[u32]) -> Vec<u32> {
        match self {
            Values::Text(name, texts) => texts.number_all(stored, name, rows),
            Values::Bucket(step_ns, list, numbers) => {
                let times = stored.column_by_name(field::TIME);
                let Some(times) = times.and_then(|times| times.as_primitive_opt::<TimestampNanosecondType>()) else {
                    return vec![0; rows.len()];
                };
                let (mut start, mut end, mut number) = (1, 0, 0);
                let mut of = |time: i64| {
                    if time < start || time >= end {
                        start = bucket_of(time, *step_ns);
                        end = start.saturating_add(*step_ns);
                        number = number_of_bucket(list, numbers, start);
                    }
                    number
                };
                rows.iter().map(|row| of(times.value(*row as usize))).collect()
            }
        }
    }

    fn number(&mut self, value: &KeyValue<'_>) -> u32 {
        match (self, value) {
            (Values::Text(_, texts), KeyValue::Text(text)) => texts.number(text),
            (Values::Bucket(_, list, numbers), KeyValue::Bucket(start)) => number_of_bucket(list, numbers, *start),
            // A caller that mixes them up would be a defect; the group of the first value takes such rows.
            _ => 0,
        }
    }

    fn value(&self, number: u32) -> KeyValue<'_> {
        match self {
            Values::Text(_, texts) => KeyValue::Text(Cow::Borrowed(&texts.list[number as usize])),
            Values::Bucket(_, list, _) => KeyValue::Bucket(list[number as usize]),
        }
    }

    fn len(&self) -> usize {
        match self {
            Values::Text(_, texts) => texts.list.len(),
            Values::Bucket(_, list, _) => list.len(),
        }
    }

    fn array(&self, numbers: impl Iterator<Item = u32>) -> ArrayRef {
        match self {
            Values::Text(_, texts) => {
                Arc::new(StringArray::from_iter_values(numbers.map(|number| &*texts.list[number as usize])))
            }
            Values::Bucket(_, list, _) => {
                let times = TimestampNanosecondArray::from_iter_values(numbers.map(|number| list[number as usize]));
                Arc::new(times.with_timezone("UTC"))
            }
        }
    }
}

fn number_of_bucket(list: &mut Vec<i64>, numbers: &mut NumberMap<i64, u32>, start: i64) -> u32 {
    *numbers.entry(start).or_insert_with(|| {
        list.push(start);
        (list.len() - 1) as u32
    })
}

/// The groups of rows: tuples of the numbers of their keys' values.
pub(crate) struct Groups {
    values: Vec<Values>,
    /// For each key but the first: the group by the keys before it and the number of its value.
    steps: Vec<NumberMap<u64, u32>>,
    /// For each of `steps`, how many groups of that many keys there are.
    counts: Vec<u32>,
    /// The numbers of the keys' values, group by group.
    tuples: Vec<u32>,
    len: usize,
}

impl Groups {
    pub(crate) fn new(keys: &[Key]) -> Self {
        let values = keys.iter().map(|key| match key {
            Key::Text(name) => Values::Text(name.clone(), Texts::default()),
            Key::Bucket(step_ns) => Values::Bucket(*step_ns, Vec::new(), NumberMap::default()),
        });
        let steps = keys.len().max(1);
        Self {
            values: values.collect(),
            steps: (0..steps).map(|_| NumberMap::default()).collect(),
            counts: vec![0; steps],
            tuples: Vec::new(),
            len: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The groups of some rows.
    pub(crate) fn number(&mut self, stored: &RecordBatch, rows: &[u32]) -> Vec<u32> {
        let columns: Vec<Vec<u32>> = self.values.iter_mut().map(|values| values.number_all(stored, rows)).collect();
        if columns.is_empty() {
            let group = self.group(&[]);
            return vec![group; rows.len()];
        }
        let mut tuple = vec![0; columns.len()];
        let mut last: Option<(Vec<u32>, u32)> = None;
        (0..rows.len())
            .map(|at| {
                tuple.iter_mut().zip(&columns).for_each(|(slot, column)| *slot = column[at]);
                match &last {
                    Some((known, group)) if *known == tuple => *group,
                    _ => {
                        let group = self.group(&tuple);
                        match &mut last {
                            Some((known, of)) => {
                                known.copy_from_slice(&tuple);
                                *of = group;
                            }
                            None => last = Some((tuple.clone(), group)),
                        }
                        group
                    }
                }
            })
            .collect()
    }

    /// The group of some values, one for each key.
    pub(crate) fn group_of(&mut self, keys: &[KeyValue<'_>]) -> u32 {
        let tuple: Vec<u32> = self.values.iter_mut().zip(keys).map(|(values, key)| values.number(key)).collect();
        self.group(&tuple)
    }

    /// The group of a tuple of numbers.
    fn group(&mut self, tuple: &[u32]) -> u32 {
        let mut group = 0;
        let mut is_new = false;
        let last = self.steps.len() - 1;
        for (at, step) in self.steps.iter_mut().enumerate() {
            let key = u64::from(group) << 32 | u64::from(tuple.get(at).copied().unwrap_or(0));
            let count = &mut self.counts[at];
            group = *step.entry(key).or_insert_with(|| {
                *count += 1;
                is_new = at == last;
                *count - 1
            });
        }
        if is_new {
            self.tuples.extend_from_slice(tuple);
            self.len += 1;
        }
        group
    }

    /// Takes in the groups of another; returns the numbers that they have here.
    pub(crate) fn absorb(&mut self, other: &Groups) -> Vec<u32> {
        let width = self.values.len();
        let pairs = self.values.iter_mut().zip(&other.values);
        let maps: Vec<Vec<u32>> = pairs
            .map(|(mine, theirs)| (0..theirs.len() as u32).map(|number| mine.number(&theirs.value(number))).collect())
            .collect();
        let mut tuple = vec![0; width];
        (0..other.len)
            .map(|group| {
                for (at, slot) in tuple.iter_mut().enumerate() {
                    *slot = maps[at][other.tuples[group * width + at] as usize];
                }
                self.group(&tuple)
            })
            .collect()
    }

    pub(crate) fn bytes(&self) -> usize {
        const ENTRY_BYTES: usize = 24;
        let texts = self.values.iter().map(|values| match values {
            Values::Text(_, texts) => texts.bytes(),
            Values::Bucket(_, list, _) => list.len() * 2 * ENTRY_BYTES,
        });
        let steps: usize = self.steps.iter().map(|step| step.len() * ENTRY_BYTES).sum();
        texts.sum::<usize>() + steps + self.tuples.len() * size_of::<u32>()
    }

    /// The keys' values, group by group.
    pub(crate) fn arrays(&self) -> Vec<ArrayRef> {
        let width = self.values.len();
        let column = |at: usize| (0..self.len).map(move |group| self.tuples[group * width + at]);
        self.values.iter().enumerate().map(|(at, values)| values.array(column(at))).collect()
    }
}
