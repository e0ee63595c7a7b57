//! Tables of names for the pipe `lookup`: CSV files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};

/// Largest file of a table, in bytes.
pub const LOOKUP_BYTES_MAX: u64 = 64 << 20;

/// The tables that queries may look into, by name. Files are read when a query asks, so that a changed file counts at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LookupTables {
    files: BTreeMap<String, PathBuf>,
}

impl LookupTables {
    /// The tables of files: each is called as its file, without `.csv`. Fails when two have one name.
    pub fn of_files(files: impl IntoIterator<Item = PathBuf>) -> Result<Self, String> {
        let mut tables = BTreeMap::new();
        for path in files {
            let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if let Some(other) = tables.insert(name.clone(), path.clone()) {
                return Err(format!("{} and {} are both the table `{name}`", other.display(), path.display()));
            }
        }
        Ok(Self { files: tables })
    }

    /// The names of the tables.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// The lines of a table, all columns as texts; what is wrong with it, and what to do.
    pub(crate) fn read(&self, name: &str) -> Result<RecordBatch, (String, String)> {
        let Some(path) = self.files.get(name) else {
            let known = self.names().collect::<Vec<_>>().join(", ");
            let hint = match known.is_empty() {
                true => "name CSV files in the setting `lookups`".to_owned(),
                false => format!("the tables are {known}"),
            };
            return Err((format!("there is no table `{name}` to look into"), hint));
        };
        read_csv(path).map_err(|message| {
            tracing::warn!(path = %path.display(), message, "a table of names can not be read");
            (
                format!("the table `{name}` can not be read: {message}"),
                "mend its file; the server's log names it".to_owned(),
            )
        })
    }
}

fn read_csv(path: &Path) -> Result<RecordBatch, String> {
    let bytes = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if bytes > LOOKUP_BYTES_MAX {
        return Err(format!("{bytes} bytes are more than {LOOKUP_BYTES_MAX} (LOOKUP_BYTES_MAX)"));
    }
    let mut reader =
        csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_path(path).map_err(|error| error.to_string())?;
    let names: Vec<String> = reader.headers().map_err(|error| error.to_string())?.iter().map(str::to_owned).collect();
    if let Some(name) =
        names.iter().find(|name| name.is_empty() || names.iter().filter(|other| other == name).count() > 1)
    {
        return Err(format!("the column name {name:?} is empty or there twice"));
    }
    let mut columns: Vec<Vec<String>> = names.iter().map(|_| Vec::new()).collect();
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        for (column, value) in columns.iter_mut().zip(record.iter()) {
            column.push(value.to_owned());
        }
    }
    let fields: Vec<Field> = names.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
    let arrays = columns.into_iter().map(|column| Arc::new(StringArray::from(column)) as ArrayRef).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_tables_and_mistakes_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            std::fs::write(dir.path().join(name), text).unwrap();
            dir.path().join(name)
        };
        let owners = write("owners.csv", "service, team\ncheckout,\"payments, eu\"\ncart,shop\n");
        let ragged = write("ragged.csv", "a,b\n1\n");
        let twice = write("twice.csv", "a,a\n1,2\n");
        let tables = LookupTables::of_files([owners, ragged, twice]).unwrap();
        let read = tables.read("owners").unwrap();
        assert_eq!((read.num_rows(), read.schema().field(1).name().as_str()), (2, "team"));
        assert!(tables.read("ragged").unwrap_err().0.contains("record"), "{:?}", tables.read("ragged"));
        assert!(tables.read("twice").unwrap_err().0.contains("there twice"));
        assert_eq!(tables.read("owner").unwrap_err().1, "the tables are owners, ragged, twice");
        assert!(LookupTables::of_files([dir.path().join("a/x.csv"), dir.path().join("b/x.csv")]).is_err());
    }
}
