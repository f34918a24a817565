//! What rounds showed of collusion, for display: beside the ledger, and no part of it.

use athanor_scoring::collusion::watched::{REMEMBERED, Watched};
use athanor_spec::Round;
use codec::Encode as _;
use redb::{ReadableDatabase as _, ReadableTable as _, TableDefinition};

use super::{Book, BookError, decode};

/// Round -> [`Watched`].
pub(super) const WATCHED: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("watched");

impl Book {
    /// Keeps what a round showed; a round that is written again replaces what was written of it. Older ones than
    /// [`REMEMBERED`] before it go.
    pub fn watch(&self, round: Round, watched: &Watched) -> Result<(), BookError> {
        let oldest = round.0.saturating_sub(REMEMBERED as u64);
        let transaction = self.database.begin_write()?;
        {
            let mut table = transaction.open_table(WATCHED)?;
            table.insert(round.0, watched.encode().as_slice())?;
            table.retain(|round, _| round > oldest || oldest == 0)?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// What is kept of the last rounds, oldest first.
    pub fn watched(&self) -> Result<Vec<Watched>, BookError> {
        let transaction = self.database.begin_read()?;
        let table = transaction.open_table(WATCHED)?;
        let mut all = Vec::new();
        for entry in table.iter()? {
            all.push(decode("watched", entry?.1.value())?);
        }
        Ok(all)
    }
}
