//! The file that pins the tag of an image: a variable in an env file, or an override file. Reading, changing and writing them; what
//! Compose makes of them is asked of Compose.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use respond::ComposePin;

/// Largest env file that is read.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Longest tag of an image (Docker's reference grammar).
const TAG_CHARS_MAX: usize = 128;

/// The file before and after.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) path: PathBuf,
    /// What it held; nothing when it was not there.
    pub(super) before: Option<String>,
    /// What it will hold.
    pub(super) after: String,
}

/// Who writes an override file, for its comment.
pub(super) struct Writer<'a> {
    pub(super) key: &'a str,
    pub(super) fence: u64,
    pub(super) services: &'a [String],
}

/// What the file has to become for a version; an error when it does not pin the version that should run. `None` when it pins the
/// wanted version already.
pub(super) fn plan(
    folder: &Path,
    pin: ComposePin<'_>,
    from: &str,
    to: &str,
    writer: &Writer<'_>,
) -> Result<Option<Change>, String> {
    check_tag(to)?;
    match pin {
        ComposePin::Variable { file, variable } => {
            let path = folder.join(file);
            let before = read(&path)?.ok_or_else(|| format!("{} is not there", path.display()))?;
            match set(&before, variable, from, to).map_err(|why| format!("{}: {why}", path.display()))? {
                Some(after) => Ok(Some(Change { path, before: Some(before), after })),
                None => Ok(None),
            }
        }
        ComposePin::Override { file, image } => {
            let path = folder.join(file);
            let before = read(&path)?;
            let after = overriding(image, to, writer);
            Ok(Some(Change { path, before, after }))
        }
    }
}

/// The value of a variable in an env file.
pub(super) fn value(text: &str, variable: &str) -> Result<String, String> {
    let found: Vec<&str> = text.lines().filter_map(|line| assigned(line, variable)).collect();
    match found.as_slice() {
        [value] => Ok(unquoted(value).to_owned()),
        [] => Err(format!("there is no variable {variable}")),
        more => Err(format!("the variable {variable} is there {} times", more.len())),
    }
}

/// The text with the variable at the new version: its value is the version, or an image that ends with it.
fn set(text: &str, variable: &str, from: &str, to: &str) -> Result<Option<String>, String> {
    let now = value(text, variable)?;
    let new = |version: &str| match now.rsplit_once(':') {
        Some((image, tag)) if tag == version => Some(format!("{image}:{to}")),
        None if now == version => Some(to.to_owned()),
        _ => None,
    };
    if new(to).is_some() {
        return Ok(None);
    }
    let Some(new) = new(from) else { return Err(format!("{variable} is {now:?}, not {from:?}")) };
    let mut out = String::new();
    for line in text.split_inclusive('\n') {
        match assigned(line.trim_end_matches(['\r', '\n']), variable) {
            Some(_) => {
                let (name, _) = line.split_once('=').unwrap_or((line, ""));
                let end = &line[line.trim_end_matches(['\r', '\n']).len()..];
                out.push_str(&format!("{name}={new}{end}"));
            }
            None => out.push_str(line),
        }
    }
    Ok(Some(out))
}

/// What a line assigns to a variable.
fn assigned<'a>(line: &'a str, variable: &str) -> Option<&'a str> {
    let (name, value) = line.split_once('=')?;
    let name = name.trim();
    let name = name.strip_prefix("export ").unwrap_or(name).trim();
    (name == variable).then_some(value.trim())
}

fn unquoted(value: &str) -> &str {
    let quoted = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    quoted('"').or_else(|| quoted('\'')).unwrap_or(value)
}

/// An override file, quoted as JSON is, which is YAML too.
fn overriding(image: &str, tag: &str, writer: &Writer<'_>) -> String {
    let quoted = |text: &str| serde_json::Value::String(text.to_owned()).to_string();
    let mut out = format!("# Written by Backstop: action {}, fence {}. Changes are lost.\n", writer.key, writer.fence);
    out.push_str("services:\n");
    for service in writer.services {
        out.push_str(&format!("  {}:\n    image: {}\n", quoted(service), quoted(&format!("{image}:{tag}"))));
    }
    out
}

fn check_tag(tag: &str) -> Result<(), String> {
    let known = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let first = tag.chars().next().is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    if !first || tag.len() > TAG_CHARS_MAX || !tag.chars().all(known) {
        return Err(format!("{tag:?} is not the tag of an image"));
    }
    Ok(())
}

fn read(path: &Path) -> Result<Option<String>, String> {
    let shown = path.display();
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("{shown}: {error}")),
        Ok(found) if !found.is_file() => return Err(format!("{shown} is not a plain file")),
        Ok(found) if found.len() > FILE_BYTES_MAX => {
            return Err(format!("{shown} has {} bytes, {FILE_BYTES_MAX} are allowed", found.len()));
        }
        Ok(_) => {}
    }
    std::fs::read_to_string(path).map(Some).map_err(|error| format!("{shown}: {error}"))
}

impl Change {
    /// Writes the new text, if the file still holds the old.
    pub(super) fn write(&self) -> Result<(), String> {
        if read(&self.path)? != self.before {
            return Err(format!("{} was changed by somebody else meanwhile", self.path.display()));
        }
        replace(&self.path, Some(&self.after))
    }

    /// Writes the old text back, if the file still holds the new.
    pub(super) fn restore(&self) -> Result<(), String> {
        if read(&self.path)?.as_ref() != Some(&self.after) {
            return Err(format!("{} was changed by somebody else meanwhile", self.path.display()));
        }
        replace(&self.path, self.before.as_deref())
    }
}

/// Replaces a file by one call of the kernel, keeping its mode and its owner; without a text it is removed.
fn replace(path: &Path, text: Option<&str>) -> Result<(), String> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let replaced = || -> std::io::Result<()> {
        match text {
            Some(text) => {
                let mut fresh = tempfile::Builder::new().prefix(".backstop-").tempfile_in(folder)?;
                fresh.write_all(text.as_bytes())?;
                match std::fs::metadata(path) {
                    Ok(old) => keep_owner(fresh.as_file(), &old)?,
                    Err(_) => {
                        fresh.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(NEW_MODE))?
                    }
                }
                fresh.as_file().sync_all()?;
                fresh.persist(path)?;
            }
            None => std::fs::remove_file(path)?,
        }
        File::open(folder)?.sync_all()
    };
    replaced().map_err(|error| format!("{} can not be written: {error}", path.display()))
}

/// The mode of a file that was not there.
const NEW_MODE: u32 = 0o644;

fn keep_owner(fresh: &File, old: &std::fs::Metadata) -> std::io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    fresh.set_permissions(old.permissions())?;
    let now = fresh.metadata()?;
    if (now.uid(), now.gid()) != (old.uid(), old.gid()) {
        std::os::unix::fs::fchown(fresh, Some(old.uid()), Some(old.gid()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(text: &str, from: &str, to: &str, expect: Expect) {
        expect.assert_eq(&format!("{:?}", set(text, "WEB_TAG", from, to)));
    }

    #[test]
    fn a_variable_changes_and_nothing_else_does() {
        check("A=1\nWEB_TAG=2\nB=WEB_TAG=2\n", "2", "1", expect![[r#"Ok(Some("A=1\nWEB_TAG=1\nB=WEB_TAG=2\n"))"#]]);
        check("export WEB_TAG = \"2\"\r\nC=3", "2", "1", expect![[r#"Ok(Some("export WEB_TAG =1\r\nC=3"))"#]]);
        check(
            "WEB_TAG=registry:5000/shop/web:2",
            "2",
            "1",
            expect![[r#"Ok(Some("WEB_TAG=registry:5000/shop/web:1"))"#]],
        );
        check("WEB_TAG=1\n", "2", "1", expect!["Ok(None)"]);
        check("WEB_TAG=3\n", "2", "1", expect![[r#"Err("WEB_TAG is \"3\", not \"2\"")"#]]);
        check("WEB_TAG=12\n", "2", "1", expect![[r#"Err("WEB_TAG is \"12\", not \"2\"")"#]]);
        check("#WEB_TAG=2\n", "2", "1", expect![[r#"Err("there is no variable WEB_TAG")"#]]);
        check("WEB_TAG=2\nWEB_TAG=2\n", "2", "1", expect![[r#"Err("the variable WEB_TAG is there 2 times")"#]]);
    }

    #[test]
    fn a_file_is_replaced_whole_and_restored() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join(".env");
        std::fs::write(&path, "WEB_TAG=2\n").expect("write");
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("mode");
        let writer = Writer { key: "k", fence: 1, services: &[] };
        let pin = ComposePin::Variable { file: ".env", variable: "WEB_TAG" };
        let change = plan(folder.path(), pin, "2", "1", &writer).expect("a plan").expect("a change");
        change.write().expect("written");
        assert_eq!(std::fs::read_to_string(&path).expect("read"), "WEB_TAG=1\n");
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).expect("metadata").permissions());
        assert_eq!(mode & 0o777, 0o600);
        change.restore().expect("restored");
        std::fs::write(&path, "WEB_TAG=9\n").expect("write");
        assert!(change.write().expect_err("it changed").ends_with("was changed by somebody else meanwhile"));
    }

    #[test]
    fn tags_are_tags() {
        assert!(check_tag("1.4.2-rc_1").is_ok());
        for tag in ["", ".1", "1 2", "1\nX=2", "a:b", "$(id)"] {
            assert!(check_tag(tag).is_err(), "{tag:?}");
        }
    }
}
