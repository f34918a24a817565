//! Cut students of several sizes out of a teacher's layers.

/// Which of a teacher's layers a student of `keep` layers takes over: the first, the last, and others evenly between.
///
/// Training the teacher runs these very subsets now and then, so such a student speaks before it has learnt anything.
pub fn layers(teacher: usize, keep: usize) -> Vec<usize> {
    match keep.min(teacher) {
        0 => Vec::new(),
        1 => vec![0],
        keep => (0..keep).map(|at| at * (teacher - 1) / (keep - 1)).collect(),
    }
}
