use std::path::Path;

use rusqlite::ErrorCode;

use crate::store::Error;

/// Why a job failed, before it is known which file it was about.
#[derive(Debug)]
pub(super) enum Failure {
    /// What the caller is told as it is.
    Told(Error),
    Sqlite(rusqlite::Error),
    /// The store holds what this program never writes.
    Unsound(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Told(error)
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl Failure {
    /// For a value that could not be read as what this program writes.
    pub(super) fn unsound<E>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |_why| Self::Unsound(format!("it holds a bad {what}"))
    }

    /// What it means for the file at `path`.
    pub(super) fn at(self, path: &Path) -> Error {
        let path = path.to_owned();
        let error = match self {
            Self::Told(error) => return error,
            Self::Unsound(why) => return Error::Corrupt { path, why },
            Self::Sqlite(error) => error,
        };
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Locked(path),
            Some(ErrorCode::DiskFull) => Error::DiskFull(path),
            Some(
                ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::SystemIoFailure,
            ) => Error::Unwritable {
                path,
                why: error.to_string(),
            },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Error::Corrupt {
                path,
                why: error.to_string(),
            },
            _ => Error::Other {
                path,
                source: error,
            },
        }
    }
}
