//! The gate over a real store, the waits in virtual time.

use std::net::Ipv4Addr;

use super::*;
use crate::{Control, Minted, Text};

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

async fn demo() -> (tempfile::TempDir, Control<crate::store::Sqlite>, Minted) {
    let dir = tempfile::tempdir().unwrap();
    let control = Control::open(dir.path()).unwrap();
    let minted = control.first_start().await.unwrap().unwrap();
    (dir, control, minted)
}

#[tokio::test]
async fn a_good_key_opens_its_channel_at_once_and_its_use_is_noted() {
    let (_dir, control, minted) = demo().await;
    let gate = control.gate();
    let admitted = gate.check(minted.secret.expose(), HOST).await.unwrap();
    assert_eq!(admitted.key, minted.key.id);
    assert_eq!(admitted.channel.name.as_str(), "demo");
    let pasted = format!(" {}\r\n", minted.secret.expose());
    assert!(gate.check(&pasted, HOST).await.is_ok());
    assert_eq!(
        gate.stats(),
        GateStats {
            good: 2,
            ..GateStats::default()
        }
    );
    // The note is written beside the check; the store does what it is asked in order.
    tokio::task::yield_now().await;
    assert!(control.keys(None).await.unwrap()[0].last_used.is_some());
}

#[tokio::test]
async fn what_is_almost_a_key_opens_nothing() {
    let (_dir, control, minted) = demo().await;
    let gate = control.gate();
    let good = minted.secret.expose();
    let almost = [
        good.to_uppercase(),
        good.chars().take(good.len() - 1).collect(),
        format!("{good}a"),
        good.replacen("sk_", "", 1),
        minted.key.id.to_string(),
        "demo".to_owned(),
        String::new(),
        "sk_' OR 1=1 --".to_owned(),
        format!("sk_{}", "a".repeat(1 << 20)),
    ];
    let checks = almost.iter().map(|key| gate.check(key, HOST));
    for (key, result) in almost
        .iter()
        .zip(futures_util::future::join_all(checks).await)
    {
        assert_eq!(result, Err(Refusal::Unknown), "{} bytes", key.len());
    }
    assert_eq!(gate.stats().wrong, 9);
}

#[tokio::test]
async fn a_key_is_good_the_instant_another_process_makes_it_and_no_more_when_it_revokes_it() {
    let (dir, control, _) = demo().await;
    let gate = control.gate();
    let elsewhere = Control::open(dir.path()).unwrap();
    let minted = elsewhere
        .create_key("demo".parse().unwrap(), Text::default())
        .await
        .unwrap();
    assert!(gate.check(minted.secret.expose(), HOST).await.is_ok());
    elsewhere.revoke_key(minted.key.id.clone()).await.unwrap();
    assert_eq!(
        gate.check(minted.secret.expose(), HOST).await,
        Err(Refusal::Unknown)
    );
}

#[tokio::test]
async fn guessing_costs_time_and_then_attention() {
    let (_dir, control, minted) = demo().await;
    let gate = control.gate();
    tokio::time::pause();
    let start = Instant::now();
    for guess in 1..=20 {
        assert_eq!(
            gate.check("sk_guess", HOST).await,
            Err(Refusal::Unknown),
            "guess {guess}"
        );
        assert_eq!(start.elapsed().as_secs(), guess, "each costs a second");
    }
    assert!(matches!(
        gate.check(minted.secret.expose(), HOST).await,
        Err(Refusal::Throttled(_))
    ));
    let other = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
    assert!(gate.check(minted.secret.expose(), other).await.is_ok());
    let Err(Refusal::Throttled(wait)) = gate.check("sk_guess", HOST).await else {
        panic!()
    };
    tokio::time::advance(wait).await;
    assert!(gate.check(minted.secret.expose(), HOST).await.is_ok());
    assert_eq!(
        gate.stats(),
        GateStats {
            good: 2,
            wrong: 20,
            throttled: 2,
            unavailable: 0
        }
    );
}
