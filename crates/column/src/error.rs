//! What can go wrong with a column file.

use parquet::errors::ParquetError;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum ColumnError {
    /// The file cannot be read or written.
    #[error("column file: {0}; check the disk and the file's permissions")]
    Io(#[from] std::io::Error),
    /// The bytes are not a column file that this program wrote, or they are damaged.
    #[error("damaged column file: {0}; `backstop segments verify` lists what is affected")]
    Corrupt(String),
    /// The bytes of an encoded batch are not what [`crate::encode_batch`] wrote.
    #[error("damaged batch: {0}; the log around it is damaged too")]
    Damaged(String),
    /// The caller asked for a row that the file does not have.
    #[error("row {row} was asked for and the file has {rows} rows; the index and the columns are not of one segment")]
    RowOutOfRange {
        /// The largest row number asked for.
        row: u64,
        /// Rows in the file.
        rows: u64,
    },
    /// Columns could not be encoded.
    #[error("columns cannot be encoded: {0}")]
    Encode(String),
}

impl ColumnError {
    /// A read error of the Parquet reader: the disk's when it says so, damage otherwise.
    pub(crate) fn reading(error: impl std::fmt::Display) -> Self {
        Self::Corrupt(error.to_string())
    }

    /// An error of the source of the bytes: what it says is damaged is damaged.
    pub(crate) fn source(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::InvalidData { Self::reading(error) } else { Self::Io(error) }
    }

    /// An error of the Parquet library itself, which keeps what the disk said.
    pub(crate) fn parquet(error: ParquetError) -> Self {
        match error {
            ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
                Ok(io) => Self::source(*io),
                Err(other) => Self::reading(other),
            },
            other => Self::reading(other),
        }
    }

    /// The message of a caught panic.
    pub(crate) fn panicked(payload: &(dyn std::any::Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().map(|s| (*s).to_owned());
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        Self::Corrupt(text.unwrap_or_else(|| "the reader panicked".to_owned()))
    }
}
