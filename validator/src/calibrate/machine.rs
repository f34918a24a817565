//! Says in words what a table was fitted on: the processor, and the instructions that the kernels chose by.

use std::fs;

/// The processor's name as the system tells it, and the widest vectors that the kernels use on it.
pub(super) fn describe() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("unknown processor", |(_, name)| name.trim());
    format!("{name}, {}, {}", std::env::consts::ARCH, vectors())
}

#[cfg(target_arch = "x86_64")]
fn vectors() -> &'static str {
    let wide = is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl");
    match (
        wide,
        is_x86_feature_detected!("avx2"),
        is_x86_feature_detected!("fma"),
    ) {
        (true, ..) => "AVX-512",
        (false, true, true) => "AVX2 with FMA",
        _ => "SSE2",
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn vectors() -> &'static str {
    "vectors of the compiler's choice"
}
