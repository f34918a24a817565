//! Settings that make no training are refused by name.

use super::*;

fn refused(change: impl Fn(&mut TrainerConfig)) -> ConfigError {
    let mut config = TrainerConfig::small(1);
    assert_eq!(config.check(), Ok(()));
    change(&mut config);
    config.check().unwrap_err()
}

#[test]
fn every_number_is_checked() {
    let cosine = Decay::Cosine { floor: 0.1 };
    assert_eq!(refused(|c| c.schedule.decay = cosine), ConfigError::NoEnd);
    assert!(matches!(
        refused(|c| c.schedule.rate = -1.0),
        ConfigError::Schedule(_)
    ));
    assert_eq!(refused(|c| c.clip = 0.0), ConfigError::Clip(0.0));
    assert_eq!(refused(|c| c.step_tokens = 0), ConfigError::Tokens);
    assert_eq!(
        refused(|c| c.objective.hard_share = 1.1),
        ConfigError::HardShare(1.1)
    );
    assert_eq!(
        refused(|c| c.objective.temperature = 0.0),
        ConfigError::Temperature(0.0)
    );
    assert_eq!(refused(|c| c.objective.skew = 0.0), ConfigError::Skew(0.0));
    assert_eq!(refused(|c| c.objective.rollouts = 0), ConfigError::Rollouts);
    assert_eq!(refused(|c| c.held_out = 0), ConfigError::HeldOut);
}
