//! Run the language models that the subnet trains and serves.
