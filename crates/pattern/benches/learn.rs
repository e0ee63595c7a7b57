//! How fast lines are learned and found: texts that repeat, as shapes do; lines of known forms; lines of new forms.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use pattern::{Limits, Miner};

/// Texts of so many statements; `nth` fills their values.
fn text(statement: usize, nth: usize) -> String {
    let word = |seed: usize| -> String {
        let mut left = (seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        let letters = std::iter::repeat_with(|| {
            left /= 26;
            char::from(b'a' + (left % 26) as u8)
        });
        letters.take(6).collect()
    };
    let (service, action, what) = (word(statement), word(statement * 3 + 1), word(statement * 7 + 2));
    match statement % 3 {
        0 => format!(
            "{service} {action}: request {nth} of {what} from 10.0.{}.{} took {}.5 ms",
            nth % 256,
            nth % 99,
            nth % 77
        ),
        1 => format!("[{service}] {action} {what} user=u{nth} path=/var/{service}/{nth}.log status={} ok", nth % 600),
        _ => format!("could not {action} the {what} of {service} for user {} after {nth} s", word(nth)),
    }
}

fn learned(statements: usize, lines: usize) -> (Miner, Vec<String>) {
    let texts: Vec<String> = (0..lines).map(|nth| text(nth % statements, nth)).collect();
    let mut miner = Miner::new(Limits::default());
    texts.iter().for_each(|text| {
        miner.learn(text, 1);
    });
    miner.refine();
    (miner, texts)
}

fn benches(c: &mut Criterion) {
    let mut group = c.benchmark_group("pattern");
    let (mut miner, texts) = learned(300, 5000);
    group.throughput(Throughput::Elements(texts.len() as u64));
    texts.iter().for_each(|text| {
        miner.learn(text, 1);
    });
    group.bench_function("learn texts that repeat", |b| {
        b.iter(|| texts.iter().fold(0, |sum, text| sum ^ miner.learn(black_box(text), 1).0));
    });
    let (fresh, _) = learned(300, 5000);
    group.bench_function("find lines of known patterns", |b| {
        b.iter(|| texts.iter().filter(|text| fresh.find(black_box(text)).is_some()).count());
    });
    group.bench_function("learn from nothing", |b| {
        b.iter_batched(
            || Miner::new(Limits::default()),
            |mut miner| {
                texts.iter().for_each(|text| {
                    miner.learn(black_box(text), 1);
                });
                miner.refine();
                miner.len()
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();

    let mut group = c.benchmark_group("refine");
    group.sample_size(10);
    let (full, _) = learned(8000, 20_000);
    group.bench_function(format!("{} patterns", full.len()), |b| {
        let state = full.state();
        b.iter_batched(
            || {
                let mut miner = Miner::restore(Limits::default(), &state).expect("restored");
                miner.learn("a line that nothing has seen", 1);
                miner
            },
            |mut miner| {
                miner.refine();
                miner
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);
