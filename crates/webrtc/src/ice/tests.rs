use super::*;

fn start() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test's first instant; time is counted from it"
    )]
    Instant::now()
}

fn credentials(seed: u8) -> Credentials {
    Credentials::from_random(&[seed; Credentials::RANDOM_BYTES])
}

fn path(port: u16) -> Path {
    Path {
        remote: SocketAddr::from(([192, 0, 2, 1], port)),
        local: None,
    }
}

#[test]
fn credentials_are_as_long_and_as_spelt_as_ice_wants() {
    let random: [u8; Credentials::RANDOM_BYTES] =
        std::array::from_fn(|at| at.to_le_bytes()[0].wrapping_mul(37));
    let Credentials { ufrag, pwd } = Credentials::from_random(&random);
    assert_eq!((ufrag.len(), pwd.len()), (16, 24));
    assert!(
        format!("{ufrag}{pwd}")
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
    );
    assert!(!format!("{:?}", credentials(1)).contains(&credentials(1).pwd));
}

#[test]
fn the_first_check_sets_the_path_and_later_ones_move_it_only_by_nomination() {
    let now = start();
    let ours = credentials(1);
    let mut ice = Lite::new(ours.clone(), now);
    let mut check = |from, nominate| {
        let request = stun::tests::request(&ours, nominate);
        let checked = ice
            .handle_check(now, path(from), &request)
            .expect("authentic");
        assert_eq!(checked.response[..2], [1, 1]);
        (
            checked.path_changed,
            ice.path().map(|path| path.remote.port()),
        )
    };
    assert_eq!(check(1, false), (true, Some(1)));
    assert_eq!(check(2, false), (false, Some(1)));
    assert_eq!(check(2, true), (true, Some(2)));
    assert_eq!(check(2, true), (false, Some(2)));
    assert_eq!(check(1, false), (false, Some(2)));
    assert_eq!(check(1, true), (true, Some(1)));
}

#[test]
fn a_check_with_another_password_or_name_changes_nothing() {
    let now = start();
    let mut ice = Lite::new(credentials(1), now);
    let mut wrong = credentials(1);
    wrong.pwd = credentials(2).pwd;
    let mut check = |request: &[u8]| {
        let later = now + Duration::from_secs(1);
        let outcome = ice.handle_check(later, path(1), request);
        assert_eq!((ice.path(), ice.last_heard()), (None, now));
        assert!(!ice.is_checked(path(1).remote));
        outcome.expect_err("not authentic")
    };
    assert_eq!(
        check(&stun::tests::request(&wrong, true)),
        stun::Error::Unauthentic
    );
    assert_eq!(
        check(&stun::tests::request(&credentials(3), true)),
        stun::Error::UnknownUsername
    );
}

#[test]
fn old_credentials_hold_until_the_first_check_with_the_new() {
    let now = start();
    let mut ice = Lite::new(credentials(1), now);
    let old = stun::tests::request(&credentials(1), true);
    let new = stun::tests::request(&credentials(2), true);
    assert!(ice.handle_check(now, path(1), &old).is_ok());
    ice.restart(credentials(2));
    assert_eq!(ice.ufrags().count(), 2);
    assert!(ice.handle_check(now, path(1), &old).is_ok());
    assert!(ice.handle_check(now, path(2), &new).is_ok());
    assert_eq!(
        ice.handle_check(now, path(1), &old).expect_err("void"),
        stun::Error::UnknownUsername
    );
    assert_eq!(ice.ufrags().count(), 1);
    assert_eq!(ice.path(), Some(path(2)));
}

#[test]
fn a_peer_expires_after_fifteen_silent_seconds() {
    let now = start();
    let mut ice = Lite::new(credentials(1), now);
    let after = |seconds| now + Duration::from_secs(seconds);
    assert!(!ice.expired(after(14)) && ice.expired(after(15)));
    let request = stun::tests::request(&credentials(1), false);
    assert!(ice.handle_check(after(10), path(1), &request).is_ok());
    assert!(!ice.expired(after(24)) && ice.expired(after(25)));
    ice.note_alive(after(20));
    assert_eq!(ice.expires(), after(35));
}

#[test]
fn remembered_addresses_are_bounded() {
    let now = start();
    let mut ice = Lite::new(credentials(1), now);
    let request = stun::tests::request(&credentials(1), false);
    for port in 1..1_000 {
        assert!(ice.handle_check(now, path(port), &request).is_ok());
    }
    assert_eq!(ice.checked.len(), Lite::CHECKED_MAX);
    assert!(ice.is_checked(path(999).remote) && !ice.is_checked(path(1).remote));
}
