//! Make a checkpoint of a directory that Hugging Face's tools wrote: the same files, and a manifest that names them.

use super::*;
use crate::huggingface;

/// Files that are taken over where they exist: what other programs need beside the weights.
const COMPANIONS: &[&str] = &[
    huggingface::INDEX,
    huggingface::GENERATION,
    "special_tokens_map.json",
    "tokenizer_config.json",
    "chat_template.jinja",
];

impl Checkpoint {
    /// Copies a model directory without a manifest to `to`, byte for byte, and writes the manifest last.
    ///
    /// Everything is checked before the first byte is written: configuration, tensors, and that there is a
    /// `tokenizer.json` with no more tokens than the model has.
    pub fn import(from: &Path, to: &Path) -> Result<Self, ImportError> {
        let (config, tensors) = huggingface::open(from)?;
        let tokenizer = from.join(TOKENIZER);
        let tokenizer = fs::read(&tokenizer).map_err(|source| io(&tokenizer, source))?;
        check_vocabulary(&config, &tokenizer)?;
        fs::create_dir_all(to).map_err(|source| io(to, source))?;
        let mut names = huggingface::weight_files(from)?;
        names.extend([CONFIG, TOKENIZER].map(str::to_owned));
        let present = COMPANIONS.iter().filter(|name| from.join(name).exists());
        names.extend(present.map(|name| (*name).to_owned()));
        // In the order of names, as a manifest lists them.
        let files = names
            .iter()
            .map(|name| {
                let path = from.join(name);
                let bytes = fs::read(&path).map_err(|source| io(&path, source))?;
                store(to, name, &bytes)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let manifest = Manifest::new(files, tensors.digest(), None, TrainingSummary::default())
            .map_err(CheckpointError::from)?;
        store(to, MANIFEST, &manifest.to_bytes())?;
        Ok(Self {
            dir: to.to_owned(),
            digest: manifest.digest(),
            manifest,
            config,
        })
    }
}

/// Why a directory cannot be made a checkpoint.
#[derive(Debug, Error)]
pub enum ImportError {
    /// It is not a model that this crate runs.
    #[error(transparent)]
    Open(#[from] huggingface::OpenError),
    /// The checkpoint cannot be written, or the tokenizer does not fit.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}
