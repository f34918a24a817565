//! `[subnet]`: which subnet this is, and which programs may run it.

use serde::{Deserialize, Serialize};

use super::{
    Range,
    keys::{Pay, section},
};
use crate::NetUid;

section! {
    /// Identity of the subnet.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct Subnet {
        /// Human-readable name; the gateway offers it as the name of the model.
        pub name: String {
            unit: "",
            range: Range::Text { longest: 64 },
            reason: "Operators run nodes of several subnets: logs and users see which one this is.",
            pay: Pay::Nobody("It is for people; with it, as with every other key, the digest changes."),
        }
        /// Number on the chain.
        pub netuid: NetUid {
            unit: "",
            range: Range::whole(0, 65_535),
            reason: "Every signature and every round is bound to it, so nothing said on one subnet counts on another.",
            pay: Pay::Nobody("It names the subnet. `--netuid` of a node replaces it, and with it the digest."),
        }
        /// Version of the peer-to-peer protocols that nodes speak.
        pub protocol_version: u16 {
            unit: "",
            range: Range::whole(1, 65_535),
            reason: "A build speaks one version. One that speaks another refuses the spec by name, before it can be graded \
                     for answers that nobody could read.",
            pay: Pay::Nobody("Nodes that were not upgraded stop at the activation block and earn nothing from then on."),
        }
        /// Vocabulary size of the teacher's tokenizer, shared by every student.
        pub vocab_size: u32 {
            unit: "tokens",
            range: Range::whole(2, 1 << 24),
            reason: "Student and teacher are compared word for word over the whole vocabulary, so both must have the same.",
            pay: Pay::Shifts("Another size is another teacher: every checkpoint of now is refused, and all begin anew."),
        }
        /// Weights version key: validators whose key is lower than the chain's cannot set weights.
        pub version_key: u64 {
            unit: "",
            range: Range::whole(0, 1 << 53),
            reason: "Raised with every change of the spec, and then on chain (`athanor-subnet hyperparameters --apply`), it \
                     shuts out validators that still grade by the old numbers.",
            pay: Pay::Moves {
                raised: "validators that run this spec: the others' weights are refused",
                lowered: "validators that still run an older spec",
            },
        }
    }
}
