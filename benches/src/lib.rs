//! Holds nothing: the benches are in `micro/`.
