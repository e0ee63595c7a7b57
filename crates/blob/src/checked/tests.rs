use std::fs::OpenOptions;

use crate::LocalDir;

use super::*;

const BLOCK: usize = CHECK_BLOCK_BYTES as usize;

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 31 + at / 251) as u8).collect()
}

fn written(len: usize) -> (tempfile::TempDir, LocalDir, CheckedFile, Vec<u8>) {
    let temp = tempfile::tempdir().unwrap();
    let dir = LocalDir::open(temp.path()).unwrap();
    let bytes = bytes(len);
    let mut file = dir.create_checked("f").unwrap();
    for piece in bytes.chunks(10_007) {
        file.write_all(piece).unwrap();
    }
    let file = file.finish().unwrap();
    (temp, dir, file, bytes)
}

#[test]
fn checksums_do_not_depend_on_the_pieces() {
    for len in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 3 * BLOCK + 17] {
        let (_temp, dir, file, bytes) = written(len);
        assert_eq!((file.bytes, file.xxh3), (len as u64, xxh3_64(&bytes)));
        let sums: Vec<u32> = bytes.chunks(BLOCK).map(|block| xxh3_64(block) as u32).collect();
        assert_eq!(file.blocks.as_slice(), sums);
        let map = dir.map_checked("f", file.bytes, file.blocks).unwrap();
        assert_eq!(&map.slice(0..map.len()).unwrap()[..], bytes);
        map.verify_all().unwrap();
    }
}

#[test]
fn only_touched_blocks_are_read() {
    let (_temp, dir, file, bytes) = written(200 * BLOCK);
    let map = dir.map_checked("f", file.bytes, file.blocks).unwrap();
    assert_eq!(map.blocks_passed(), 0);
    for (range, passed) in
        [(0..0, 0), (10..20, 1), (BLOCK - 1..BLOCK + 1, 2), (BLOCK..2 * BLOCK, 2), (150 * BLOCK..153 * BLOCK + 1, 6)]
    {
        let slice = map.slice(range.start as u64..range.end as u64).unwrap();
        assert_eq!(&slice[..], &bytes[range]);
        assert_eq!(map.blocks_passed(), passed);
    }
}

#[test]
fn a_slice_outlives_the_map_and_the_file() {
    let (_temp, dir, file, bytes) = written(BLOCK + 5);
    let map = dir.map_checked("f", file.bytes, file.blocks).unwrap();
    assert!(dir.delete("f").unwrap());
    let slice = map.slice(0..map.len()).unwrap();
    drop(map);
    assert_eq!(&slice[..], bytes);
}

#[test]
fn a_file_that_takes_the_name_changes_nothing() {
    let (_temp, dir, file, bytes) = written(2 * BLOCK);
    let map = dir.map_checked("f", file.bytes, file.blocks).unwrap();
    dir.write("f", b"another").unwrap();
    assert_eq!(&map.slice(0..map.len()).unwrap()[..], bytes);
    map.verify_all().unwrap();
}

#[test]
fn damage_is_named_and_the_other_blocks_stay_readable() {
    let (_temp, dir, file, bytes) = written(4 * BLOCK + 9);
    for block in 0..5 {
        let mut bad = bytes.clone();
        bad[block * BLOCK + 7] ^= 1;
        std::fs::write(dir.path("f").unwrap(), &bad).unwrap();
        let map = dir.map_checked("f", file.bytes, file.blocks.clone()).unwrap();
        for other in 0..5 {
            let range = (other * BLOCK) as u64..bytes.len().min((other + 1) * BLOCK) as u64;
            let slice = map.slice(range);
            if other == block {
                let error = slice.unwrap_err();
                assert!(error.is_damaged() && error.to_string().contains(&format!("block {block} ")), "{error}");
            } else {
                slice.unwrap();
            }
        }
        assert_eq!(map.damaged_block(), Some(block as u64));
        assert!(map.verify_all().unwrap_err().is_damaged());
    }
}

#[test]
fn a_file_of_another_length_is_damaged() {
    let (_temp, dir, file, _) = written(2 * BLOCK);
    let open = |len, blocks| dir.map_checked("f", len, blocks);
    assert!(open(file.bytes - 1, file.blocks.clone()).unwrap_err().is_damaged());
    assert!(open(file.bytes, BlockSums::new(vec![1])).unwrap_err().is_damaged());
    let map = open(file.bytes, file.blocks.clone()).unwrap();
    map.slice(0..1).unwrap();
    OpenOptions::new().write(true).open(dir.path("f").unwrap()).unwrap().set_len(100).unwrap();
    let cut = map.slice(BLOCK as u64..BLOCK as u64 + 1).unwrap_err();
    assert!(cut.to_string().contains("it has 100 bytes"), "{cut}");
    assert!(map.verify_all().unwrap_err().is_damaged());
    assert!(map.slice(0..3 * BLOCK as u64).unwrap_err().is_damaged());
}

#[test]
fn a_file_with_one_checksum_is_one_block() {
    let (_temp, dir, file, bytes) = written(2 * BLOCK + 1);
    let sums = BlockSums::of_whole(file.bytes, file.xxh3);
    let map = dir.map_checked("f", file.bytes, sums).unwrap();
    assert_eq!(&map.slice(5..9).unwrap()[..], &bytes[5..9]);
    assert_eq!(map.blocks_passed(), 1);
    let map = dir.map_checked("f", file.bytes, BlockSums::of_whole(file.bytes, !file.xxh3)).unwrap();
    assert!(map.slice(5..9).unwrap_err().is_damaged());
}
