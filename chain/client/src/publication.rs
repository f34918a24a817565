//! What a subnet's owner publishes of its spec: an announcement in the record that the owner's hotkey commits to.

use athanor_spec::{Announcement, BlockNumber, Digest, Hotkey, NetUid, commitment::Record};

use crate::{
    Client, CommitError, Included, Quote, ReadError, Signer, SubmitError, commitment::Registration,
    items, serving::commitment_call, state::account,
};

/// What is published on a subnet, as of one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publication {
    /// The block at which it was read.
    pub read_at: BlockNumber,
    /// The hotkey whose announcement counts; `None` on chains that keep no owners' hotkeys.
    pub publisher: Option<Hotkey>,
    /// Whether that hotkey has a slot, without which it cannot commit to anything.
    pub registered: bool,
    /// What it announced, and in which block.
    pub announcement: Option<(Announcement, BlockNumber)>,
}

impl Client {
    /// What the owner of `netuid` has published, at block `at` or at the latest finalized one.
    pub async fn publication(
        &self,
        netuid: NetUid,
        at: Option<Digest>,
    ) -> Result<Publication, ReadError> {
        let state = self.state(at).await?;
        let read_at = state.block().number;
        let nothing = Publication {
            read_at,
            publisher: None,
            registered: false,
            announcement: None,
        };
        let mut batch = state.batch();
        let exists = batch.ask::<bool>(items::NETWORKS_ADDED, (netuid.0,))?;
        let owner = batch.ask_known::<[u8; 32]>(items::SUBNET_OWNER_HOTKEY, (netuid.0,))?;
        let answers = batch.send().await?;
        if !answers.get(exists)?.unwrap_or_default() {
            return Err(ReadError::NoSubnet { netuid });
        }
        // The default of the item is an account of zeros, which nobody has the key of.
        let Some(publisher) = owner
            .filter(|owner| answers.is_stored(*owner))
            .map(|owner| answers.get(owner))
            .transpose()?
            .flatten()
        else {
            return Ok(nothing);
        };
        let publisher = Hotkey(publisher);
        let mut batch = state.batch();
        let key = (netuid.0, account(&publisher));
        let uid = batch.ask::<u16>(items::UIDS, key)?;
        let committed = batch.ask::<Registration>(items::COMMITMENT_OF, key)?;
        let answers = batch.send().await?;
        let announcement = answers.get(committed)?.and_then(|registration| {
            let announcement = registration.info.record()?.announcement?;
            Some((announcement, BlockNumber(registration.block)))
        });
        Ok(Publication {
            read_at,
            publisher: Some(publisher),
            registered: answers.is_stored(uid),
            announcement,
        })
    }

    /// Everything that a hotkey commits to, if it is a record of ours.
    pub(crate) async fn record(
        &self,
        netuid: NetUid,
        hotkey: &Hotkey,
    ) -> Result<Option<Record>, ReadError> {
        let state = self.state(None).await?;
        let mut batch = state.batch();
        let committed =
            batch.ask::<Registration>(items::COMMITMENT_OF, (netuid.0, account(hotkey)))?;
        let registration = batch.send().await?.get(committed)?;
        Ok(registration.and_then(|registration| registration.info.record()))
    }

    /// Announces a spec. Only the announcement of the owner's hotkey counts; what the hotkey commits to beside it stays.
    pub async fn announce_spec(
        &self,
        hotkey: impl Into<Signer>,
        netuid: NetUid,
        announcement: Announcement,
    ) -> Result<Included, CommitError> {
        let hotkey = hotkey.into();
        let account = hotkey.hotkey();
        let record = self.announcing(netuid, &account, announcement);
        let record = record.await.map_err(SubmitError::from)?;
        self.commit(hotkey, netuid, &record).await
    }

    /// What [`Client::announce_spec`] would send, and its fee.
    pub async fn quote_announcement(
        &self,
        hotkey: &Hotkey,
        netuid: NetUid,
        announcement: Announcement,
    ) -> Result<Quote, SubmitError> {
        let record = self.announcing(netuid, hotkey, announcement).await?;
        self.quote(hotkey, &commitment_call(netuid, &record)).await
    }

    async fn announcing(
        &self,
        netuid: NetUid,
        hotkey: &Hotkey,
        announcement: Announcement,
    ) -> Result<Record, ReadError> {
        let kept = self.record(netuid, hotkey).await?.unwrap_or_default();
        Ok(Record {
            announcement: Some(announcement),
            ..kept
        })
    }
}
