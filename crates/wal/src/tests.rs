//! The log against faults. Test names carry the fault ids of the catalogue.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;

use crate::fault::{FaultPlan, FaultyDisk};
use crate::record::FILE_HEADER_BYTES;
use crate::{Payload, ReplayReport, Wal, WalError, WalOptions};

/// Small files, so that a few records make several.
fn options() -> WalOptions {
    WalOptions { file_bytes: 2048, ..WalOptions::default() }
}

fn payload(i: u64) -> Vec<u8> {
    let len = (i as usize * 37) % 300;
    format!("payload {i} ").into_bytes().into_iter().chain((0..len).map(|j| ((j as u64 * i * 31) >> 3) as u8)).collect()
}

/// Opens, checks that every payload is the one its number was given for, and gives the numbers.
fn read(dir: &Path, options: WalOptions) -> (Vec<u64>, ReplayReport) {
    let (_wal, replay) = Wal::open(dir, options).unwrap();
    let report = replay.report().clone();
    let lsns = replay.lsns();
    let records: Vec<_> = replay.map(Result::unwrap).collect();
    let ends = records.first().zip(records.last());
    assert_eq!(lsns, ends.map(|(first, last)| (first.lsn, last.lsn)));
    for record in &records {
        assert_eq!(record.payload, payload(record.lsn), "record {}", record.lsn);
    }
    (records.iter().map(|record| record.lsn).collect(), report)
}

fn write(dir: &Path, options: WalOptions, count: u64) {
    let (wal, _) = Wal::open(dir, options).unwrap();
    for _ in 0..count {
        let ticket = wal.append(Payload::new(payload(wal.next_lsn()))).unwrap();
        ticket.wait().unwrap();
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}

fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

#[test]
fn what_is_acknowledged_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), options(), 30);
    assert!(files(dir.path()).len() > 2, "several files");
    write(dir.path(), options(), 5);
    let (lsns, report) = read(dir.path(), options());
    assert_eq!(lsns, (1..=35).collect::<Vec<_>>());
    assert_eq!((report.records, report.torn_tails, report.damage.len()), (35, 0, 0));
}

#[test]
fn tickets_are_futures_and_groups_are_synced_together() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let options = WalOptions { disk: Arc::new(disk.clone()), ..WalOptions::default() };
    let (wal, _) = Wal::open(dir.path(), options).unwrap();
    let tickets: Vec<_> = (0..1000).map(|_| wal.append(Payload::new(vec![7; 40])).unwrap()).collect();
    let results = futures::executor::block_on(futures::future::join_all(tickets));
    assert!(results.iter().all(Result::is_ok));
    assert!(disk.operations() < 2000, "{} operations for 1000 records: no group was made", disk.operations());
}

#[test]
fn large_and_compressible_payloads_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let large = vec![b'x'; 1 << 20];
    {
        let (wal, _) = Wal::open(dir.path(), options()).unwrap();
        wal.append(Payload::new(large.clone())).unwrap().wait().unwrap();
        wal.append(Payload::new(Vec::new())).unwrap().wait().unwrap();
        let error = wal.append(Payload::new(vec![0; crate::PAYLOAD_BYTES_MAX + 1])).unwrap_err();
        assert!(matches!(error, WalError::TooLarge { .. }));
    }
    assert!(fs::metadata(&files(dir.path())[0]).unwrap().len() < 100_000, "a megabyte of one letter is packed");
    let (_wal, replay) = Wal::open(dir.path(), options()).unwrap();
    let payloads: Vec<_> = replay.map(|record| record.unwrap().payload).collect();
    assert_eq!(payloads, [large, Vec::new()]);
}

#[test]
fn r11_dropping_the_log_writes_what_is_queued() {
    let dir = tempfile::tempdir().unwrap();
    let (wal, _) = Wal::open(dir.path(), options()).unwrap();
    let tickets: Vec<_> = (1..=20).map(|i| wal.append(Payload::new(payload(i))).unwrap()).collect();
    drop(wal);
    assert!(tickets.into_iter().all(|ticket| ticket.wait().is_ok()));
    assert_eq!(read(dir.path(), options()).0.len(), 20);
}

#[test]
fn a_full_queue_refuses_and_recovers() {
    let dir = tempfile::tempdir().unwrap();
    let small = WalOptions { queue_bytes_max: 0, ..options() };
    let (wal, _) = Wal::open(dir.path(), small).unwrap();
    let (mut taken, mut refused) = (Vec::new(), 0);
    while refused == 0 {
        match wal.append(Payload::new(payload(wal.next_lsn()))) {
            Ok(ticket) => taken.push(ticket),
            Err(WalError::Busy { max_bytes: 0, .. }) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    let count = taken.len();
    assert!(taken.into_iter().all(|ticket| ticket.wait().is_ok()));
    wal.append(Payload::new(payload(wal.next_lsn()))).unwrap().wait().unwrap();
    drop(wal);
    assert_eq!(read(dir.path(), options()).0.len(), count + 1);
}

#[test]
fn truncation_deletes_whole_files_and_numbers_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let (wal, _) = Wal::open(dir.path(), options()).unwrap();
    for i in 1..=30 {
        wal.append(Payload::new(payload(i))).unwrap().wait().unwrap();
    }
    let before = files(dir.path()).len();
    assert!(wal.truncate_before(30).unwrap() > 0);
    assert_eq!(files(dir.path()).len(), 1, "of {before} files the one with a record that is needed stays");
    assert_eq!(wal.truncate_before(30).unwrap(), 0);
    wal.truncate_before(31).unwrap();
    drop(wal);
    assert_eq!(files(dir.path()).len(), 0, "a log at rest takes no space");
    let consumed = WalOptions { consumed_lsn: 30, ..options() };
    let (wal, replay) = Wal::open(dir.path(), consumed.clone()).unwrap();
    assert!(replay.report().damage.is_empty());
    assert_eq!(wal.append(Payload::new(payload(31))).unwrap().lsn(), 31);
    drop(wal);
    let (lsns, report) = read(dir.path(), consumed);
    assert_eq!((lsns, report.damage), (vec![31], vec![]));
}

#[test]
fn r07_an_older_file_that_is_gone_counts_as_consumed() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), options(), 30);
    let first = &files(dir.path())[0];
    let (wal, _) = Wal::open(dir.path(), WalOptions { consumed_lsn: 12, ..options() }).unwrap();
    fs::remove_file(first).unwrap();
    wal.truncate_before(13).unwrap();
    drop(wal);
    let (lsns, report) = read(dir.path(), WalOptions { consumed_lsn: 12, ..options() });
    assert_eq!(lsns.last(), Some(&30));
    assert_eq!(report.damage, []);
    // Without the consumer's word, the same hole is a loss.
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), options(), 30);
    fs::remove_file(&files(dir.path())[0]).unwrap();
    assert_eq!(read(dir.path(), options()).1.damage.len(), 1);
}

#[test]
fn r15_odd_last_files_are_harmless() {
    let garbage: Vec<u8> = (0..500u32).map(|i| (i * 7 + 1) as u8).collect();
    for (content, damage) in [(vec![], 0), (vec![0; 4096], 0), (garbage, 1)] {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), options(), 3);
        fs::write(dir.path().join("wal-00000000000000ff.log"), &content).unwrap();
        let (lsns, report) = read(dir.path(), options());
        assert_eq!(lsns, [1, 2, 3]);
        assert_eq!(report.damage.len(), damage, "{} bytes", content.len());
        if let Some(damage) = report.damage.first() {
            assert_eq!(fs::read(damage.quarantine.as_ref().unwrap()).unwrap(), content);
        }
        let (lsns, report) = read(dir.path(), options());
        assert_eq!((lsns.len(), report.damage.len()), (3, 0), "the second start finds nothing any more");
    }
}

#[test]
fn r15_unknown_versions_and_foreign_files_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), options(), 3);
    let other = WalOptions { log_id: 77, ..options() };
    assert!(matches!(Wal::open(dir.path(), other).err(), Some(WalError::Foreign { .. })));
    edit(&files(dir.path())[0], |bytes| {
        bytes[8] = 2;
        let crc = crc32c::crc32c(&bytes[..48]);
        bytes[48..52].copy_from_slice(&crc.to_le_bytes());
    });
    let error = Wal::open(dir.path(), options()).err().unwrap();
    assert!(matches!(error, WalError::Version { found: 2, known: 1, .. }), "{error}");
}

#[test]
fn r03_a_torn_tail_is_cut_once() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), options(), 3);
    let path = files(dir.path()).remove(0);
    // Half a record behind the last one: its first bytes made it to the disk.
    edit(&path, |bytes| {
        let end = bytes.iter().rposition(|b| *b != 0).unwrap() + 1;
        let half: Vec<u8> = bytes[FILE_HEADER_BYTES..FILE_HEADER_BYTES + 30].to_vec();
        bytes[end + 1..end + 31].copy_from_slice(&half);
    });
    let (lsns, report) = read(dir.path(), options());
    assert_eq!((lsns, report.torn_tails, report.damage.len()), (vec![1, 2, 3], 1, 0));
    let (lsns, report) = read(dir.path(), options());
    assert_eq!((lsns, report.torn_tails), (vec![1, 2, 3], 0));
}

#[test]
fn r14_every_flipped_byte_is_noticed_and_costs_one_record() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), options(), 6);
    let path = files(dir.path()).remove(0);
    let sound = fs::read(&path).unwrap();
    let end = sound.iter().rposition(|b| *b != 0).unwrap() + 1;
    for at in 0..end {
        let copy = tempfile::tempdir().unwrap();
        let target = copy.path().join(path.file_name().unwrap());
        fs::write(&target, &sound).unwrap();
        edit(&target, |bytes| bytes[at] ^= 0x5a);
        let (wal, replay) = match Wal::open(copy.path(), options()) {
            Ok(opened) => opened,
            Err(error) => panic!("byte {at}: {error}"),
        };
        let report = replay.report().clone();
        let lsns: Vec<u64> = replay.map(|record| record.unwrap().lsn).collect();
        drop(wal);
        if at < FILE_HEADER_BYTES {
            let spare = (52..FILE_HEADER_BYTES).contains(&at);
            assert_eq!(lsns, [1, 2, 3, 4, 5, 6], "byte {at} of the file header");
            assert_eq!(report.damage.len(), usize::from(!spare), "byte {at}");
            continue;
        }
        assert_eq!(lsns.len(), 5, "byte {at}: {lsns:?}");
        // Behind the last record nothing says that it was acknowledged.
        let last_is_hit = !lsns.contains(&6);
        assert_eq!((report.torn_tails, report.damage.len()), if last_is_hit { (1, 0) } else { (0, 1) }, "byte {at}");
    }
}

#[test]
fn r14_damage_in_the_middle_is_copied_aside_and_the_rest_salvaged() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), options(), 30);
    let path = files(dir.path()).remove(1);
    edit(&path, |bytes| bytes[200..400].fill(0xee));
    let (lsns, report) = read(dir.path(), options());
    let [damage] = &report.damage[..] else { panic!("{report:?}") };
    assert!(lsns.len() < 30 && lsns.contains(&1) && lsns.contains(&30));
    let missing: Vec<u64> = (1..=30).filter(|lsn| !lsns.contains(lsn)).collect();
    assert_eq!((damage.after_lsn + 1, damage.before_lsn.unwrap() - 1), (missing[0], missing[missing.len() - 1]));
    let copied = fs::read(damage.quarantine.as_ref().unwrap()).unwrap();
    let (start, end) = (damage.offset as usize, (damage.offset + damage.bytes) as usize);
    assert_eq!(copied, fs::read(&path).unwrap()[start..end]);
    assert_eq!(read(dir.path(), options()).1.damage, report.damage, "it stays reported until the file is consumed");
}

#[test]
fn r05_a_failed_sync_acknowledges_nothing_and_poisons() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let options = WalOptions { disk: Arc::new(disk.clone()), ..options() };
    let (wal, _) = Wal::open(dir.path(), options.clone()).unwrap();
    wal.append(Payload::new(payload(1))).unwrap().wait().unwrap();
    disk.set_plan(FaultPlan { fail_at: 2, ..FaultPlan::default() }); // write, then this sync; later ones succeed
    let failed = wal.append(Payload::new(payload(2))).unwrap().wait();
    assert!(matches!(failed, Err(WalError::Poisoned { .. })), "{failed:?}");
    assert!(matches!(wal.append(Payload::new(payload(3))), Err(WalError::Poisoned { .. })));
    assert!(wal.poison().is_some());
    drop(wal);
    assert_eq!(read(dir.path(), options).0, [1]);
}

#[test]
fn r08_a_full_disk_refuses_and_recovers_without_restart() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let options = WalOptions { disk: Arc::new(disk.clone()), ..options() };
    let (wal, _) = Wal::open(dir.path(), options.clone()).unwrap();
    let full = FaultPlan { fail_at: 1, sticky: false, error: io::ErrorKind::StorageFull, torn_seed: None };
    disk.set_plan(full);
    let refused = wal.append(Payload::new(payload(1))).unwrap().wait();
    assert!(matches!(refused, Err(WalError::DiskFull { .. })), "{refused:?}");
    wal.append(Payload::new(payload(2))).unwrap().wait().unwrap();
    drop(wal);
    let (lsns, report) = read(dir.path(), options);
    assert_eq!((lsns, report.damage, report.torn_tails), (vec![2], vec![], 0));
}

/// Runs a workload on a disk that fails. Gives the acknowledged numbers, and up to which one they are consumed.
fn run_until_failure(dir: &Path, plan: FaultPlan) -> (Vec<u64>, u64) {
    let disk = FaultyDisk::new(plan);
    let options = WalOptions { disk: Arc::new(disk), ..options() };
    let (mut acknowledged, mut consumed) = (Vec::new(), 0);
    let Ok((wal, _)) = Wal::open(dir, options) else { return (acknowledged, consumed) };
    for round in 0..8 {
        let first = wal.next_lsn();
        let tickets: Vec<_> = (first..first + 4).map_while(|i| wal.append(Payload::new(payload(i))).ok()).collect();
        acknowledged.extend(tickets.into_iter().filter_map(|ticket| {
            let lsn = ticket.lsn();
            ticket.wait().is_ok().then_some(lsn)
        }));
        if round % 3 == 2 {
            consumed = first - 1;
            drop(wal.truncate_before(first)); // a failure here is one of those under test
        }
    }
    (acknowledged, consumed)
}

#[test]
fn r02_r05_fail_the_nth_operation() {
    let clean = FaultyDisk::default();
    {
        let dir = tempfile::tempdir().unwrap();
        let options = WalOptions { disk: Arc::new(clean.clone()), ..options() };
        write(dir.path(), options, 32);
    }
    let mut failures = 0;
    for fail_at in 1..=clean.operations() {
        for (sticky, torn_seed) in [(false, None), (true, None), (false, Some(fail_at)), (true, Some(fail_at * 7919))] {
            for error in [io::ErrorKind::Other, io::ErrorKind::StorageFull] {
                let dir = tempfile::tempdir().unwrap();
                let plan = FaultPlan { fail_at, sticky, error, torn_seed };
                let (acknowledged, consumed_lsn) = run_until_failure(dir.path(), plan);
                failures += usize::from(acknowledged.len() < 32);
                let (lsns, report) = read(dir.path(), WalOptions { consumed_lsn, ..options() });
                let lost: Vec<_> =
                    acknowledged.iter().filter(|lsn| **lsn > consumed_lsn && !lsns.contains(lsn)).collect();
                assert!(lost.is_empty(), "operation {fail_at}: lost {lost:?} of {acknowledged:?}, have {lsns:?}");
                assert!(lsns.is_sorted_by(|a, b| a < b), "a number twice: {lsns:?}");
                assert_eq!(report.damage, [], "operation {fail_at}: what was never acknowledged is no damage");
            }
        }
    }
    assert!(failures > 0, "no fault was met");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// The log against a map: appends, reopenings and truncations in any order.
    #[test]
    fn the_log_is_a_map(steps in proptest::collection::vec((0..10u8, proptest::collection::vec(any::<u8>(), 0..600)), 1..40)) {
        let dir = tempfile::tempdir().unwrap();
        let mut model = BTreeMap::new();
        let mut consumed_lsn = 0;
        let mut wal = Wal::open(dir.path(), options()).unwrap().0;
        for (what, bytes) in steps {
            match what {
                0 => {
                    drop(wal);
                    let (opened, replay) = Wal::open(dir.path(), WalOptions { consumed_lsn, ..options() }).unwrap();
                    prop_assert!(replay.report().damage.is_empty(), "{:?}", replay.report());
                    let found: BTreeMap<_, _> = replay.map(|r| r.unwrap()).map(|r| (r.lsn, r.payload)).collect();
                    prop_assert!(model.iter().all(|(lsn, payload)| found.get(lsn) == Some(payload)));
                    wal = opened;
                }
                1 => {
                    consumed_lsn = wal.next_lsn() / 2;
                    wal.truncate_before(consumed_lsn + 1).unwrap();
                    model.retain(|lsn, _| *lsn > consumed_lsn);
                }
                _ => {
                    let ticket = wal.append(Payload::new(bytes.clone())).unwrap();
                    let lsn = ticket.lsn();
                    ticket.wait().unwrap();
                    prop_assert!(model.insert(lsn, bytes).is_none(), "a number twice");
                }
            }
        }
    }

    /// Any bytes as a log file: an error or a report, never a panic.
    #[test]
    fn r14_garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..3000), sound_head in any::<bool>()) {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), options(), 1);
        edit(&files(dir.path())[0], |file| {
            file.truncate(if sound_head { FILE_HEADER_BYTES } else { 0 });
            file.extend_from_slice(&bytes);
        });
        if let Ok((_wal, replay)) = Wal::open(dir.path(), options()) {
            prop_assert!(replay.map(Result::unwrap).count() <= 1);
        }
    }
}
