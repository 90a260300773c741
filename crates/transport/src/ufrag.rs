use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

/// Whose session a STUN request is for: from the ICE username fragment that we gave out (RFC 8445 §5.3) to whatever
/// owns the session, for all shards and for all who share the media port.
///
/// Looked up only for requests from addresses that the shard doesn't know yet, so a lock will do.
#[derive(Debug)]
pub struct UfragTable<T> {
    entries: RwLock<BTreeMap<Box<str>, T>>,
    capacity: usize,
}

/// The table has as many entries as it may have, or one of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the table of ICE sessions is full")]
pub struct TableFull;

impl<T: Clone> UfragTable<T> {
    /// A table for at most `capacity` sessions.
    pub fn new(capacity: usize) -> Self {
        Self {
            entries: RwLock::new(BTreeMap::new()),
            capacity,
        }
    }

    /// Enters a session under the fragment that we gave it.
    ///
    /// # Errors
    /// The table is full or the fragment taken.
    pub fn insert(&self, ufrag: &str, owner: T) -> Result<(), TableFull> {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= self.capacity || entries.contains_key(ufrag) {
            return Err(TableFull);
        }
        entries.insert(ufrag.into(), owner);
        Ok(())
    }

    /// Forgets a fragment.
    pub fn remove(&self, ufrag: &str) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        entries.remove(ufrag);
    }

    /// The owner of the session that a STUN request is for. `username` reads our fragment out of a request: the part
    /// of USERNAME before the colon (RFC 8445 §7.2.2).
    pub fn owner<'a>(
        &self,
        request: &'a [u8],
        username: impl FnOnce(&'a [u8]) -> Option<&'a str>,
    ) -> Option<T> {
        self.find(username(request)?)
    }

    /// The owner of a fragment.
    pub fn find(&self, ufrag: &str) -> Option<T> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.get(ufrag).cloned()
    }

    /// How many sessions it has.
    pub fn len(&self) -> usize {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_never_outgrows_its_capacity() {
        let table = UfragTable::new(2);
        assert_eq!(table.insert("aaaa", 1), Ok(()));
        assert_eq!(table.insert("aaaa", 9), Err(TableFull));
        assert_eq!(table.insert("bbbb", 2), Ok(()));
        assert_eq!(table.insert("cccc", 3), Err(TableFull));
        table.remove("aaaa");
        assert_eq!(table.insert("cccc", 3), Ok(()));
        assert_eq!(
            (table.find("aaaa"), table.find("cccc"), table.len()),
            (None, Some(3), 2)
        );
        let owner = table.owner(b"bbbb:peer", |bytes| {
            std::str::from_utf8(bytes).ok()?.split(':').next()
        });
        assert_eq!(owner, Some(2));
    }
}
