//! The token that a client must show. It is never shown by us, in no log and no error.

use std::fmt;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The environment variable that may hold it.
pub const TOKEN_VARIABLE: &str = "ELAVA_SQL_TOKEN";
/// Shorter ones can be guessed.
const SHORTEST: usize = 16;

/// A token. Its `Debug` form hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Its file.
    #[error("cannot use the token file {}", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no token.
    #[error("the token in {place} is too weak: it must be {SHORTEST} or more visible ASCII characters")]
    Weak {
        /// Where it is from.
        place: String,
    },
}

/// The file beside a history in which its token is when nobody gave one.
#[must_use]
pub fn token_file(history: &Path) -> PathBuf {
    let mut name = history.as_os_str().to_owned();
    name.push(".sql-token");
    name.into()
}

impl Token {
    /// A token from `place`; white space around it does not count.
    ///
    /// # Errors
    /// [`TokenError::Weak`].
    pub fn parse(text: &str, place: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        if text.len() < SHORTEST || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::Weak { place: place.to_owned() });
        }
        Ok(Self(text.to_owned()))
    }

    /// The token of the environment, when there is one.
    ///
    /// # Errors
    /// [`TokenError::Weak`].
    pub fn from_environment() -> Result<Option<Self>, TokenError> {
        let given = std::env::var(TOKEN_VARIABLE).ok().filter(|text| !text.is_empty());
        given.map(|text| Self::parse(&text, TOKEN_VARIABLE)).transpose()
    }

    /// Reads a token file.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn read(file: &Path) -> Result<Self, TokenError> {
        let failed = |source| TokenError::File { file: file.to_owned(), source };
        let mode = std::fs::metadata(file).map_err(failed)?.permissions().mode();
        if mode & 0o077 != 0 {
            tracing::warn!(file = %file.display(), "others can read the SQL token: chmod 600");
        }
        Self::parse(&std::fs::read_to_string(file).map_err(failed)?, &file.display().to_string())
    }

    /// Reads a token file, made with a new token when it is not there, for the owner alone. It is there as a whole or not
    /// at all, and of several who make it one does.
    pub(super) fn read_or_make(file: &Path) -> Result<Self, TokenError> {
        if !file.exists() {
            match Self::make(file) {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                made => made.map_err(|source| TokenError::File { file: file.to_owned(), source })?,
            }
        }
        Self::read(file)
    }

    fn make(file: &Path) -> std::io::Result<()> {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // for the owner alone, as all of these are
        let mut made = tempfile::NamedTempFile::new_in(folder)?;
        writeln!(made, "{}", Self::random()?.0)?;
        made.as_file().sync_all()?;
        made.persist_noclobber(file)?;
        Ok(())
    }

    fn random() -> std::io::Result<Self> {
        let mut bytes = [0; 32];
        File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        Ok(Self(blake3::hash(&bytes).to_hex().to_string()))
    }

    /// The token itself, for the one who must show or check it.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_tokens_are_refused_and_not_shown() {
        for (text, good) in [
            ("0123456789abcdef", true),
            (" 0123456789abcdef\n", true),
            ("0123456789abcde", false),
            ("0123456789 abcdef", false),
            ("0123456789abcdefä", false),
            ("", false),
        ] {
            let token = Token::parse(text, "a file");
            assert_eq!(token.is_ok(), good, "{text}");
            let shown = format!("{token:?}");
            assert!(text.trim().is_empty() || !shown.contains(text.trim()), "{shown}");
        }
    }

    #[test]
    fn a_file_is_made_once_and_for_the_owner_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = token_file(&folder.path().join("h.duckdb"));
        let made = Token::read_or_make(&file).expect("made");
        assert_eq!(Token::read_or_make(&file).expect("read"), made);
        assert_eq!(std::fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
        assert_eq!(made.secret().len(), 64);
        assert_eq!(folder.path().read_dir().expect("the folder").count(), 1, "nothing else is left there");
    }
}
