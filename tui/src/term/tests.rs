//! On a real pseudo-terminal, whatever way the screen's borrower ends, the terminal is as it was.

use std::{
    fs::File,
    io::Read,
    mem::MaybeUninit,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    process::{Command, Stdio},
    ptr,
};

use super::*;

/// Says to [`as_a_child`] how it has to end.
const HOW: &str = "ATHANOR_TUI_TEST_ENDS_BY";

/// Borrows the terminal and ends as the environment says; without it this is no test, but the process of the others.
#[test]
fn as_a_child() {
    let Ok(how) = std::env::var(HOW) else { return };
    let mut screen = Screen::borrow().unwrap();
    screen
        .draw(|frame| frame.render_widget("drawn", frame.area()))
        .unwrap();
    match how.as_str() {
        "return" => {}
        "panic" => panic!("the borrower panics"),
        "another" => {
            let other = thread::spawn(|| panic!("another thread panics"));
            assert!(other.join().is_err());
            assert_eq!(screen.new_panics(&mut 0).len(), 1);
        }
        other => unreachable!("{other}"),
    }
}

fn terminal() -> (OwnedFd, OwnedFd) {
    let (mut master, mut slave) = (-1, -1);
    let size = libc::winsize {
        ws_row: 24,
        ws_col: 80,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the pointers are to locals, and null where the function takes null.
    let opened = unsafe {
        libc::openpty(
            &mut master,
            &mut slave,
            ptr::null_mut(),
            ptr::null_mut(),
            &size,
        )
    };
    assert_eq!(opened, 0, "{}", io::Error::last_os_error());
    // SAFETY: both were just opened, and nobody else owns them.
    unsafe { (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) }
}

/// Input, output, control and local modes.
fn modes(terminal: &OwnedFd) -> [libc::tcflag_t; 4] {
    let mut modes = MaybeUninit::<libc::termios>::uninit();
    // SAFETY: the pointer is to a local, which the function fills if it succeeds.
    let modes = unsafe {
        assert_eq!(libc::tcgetattr(terminal.as_raw_fd(), modes.as_mut_ptr()), 0);
        modes.assume_init()
    };
    [modes.c_iflag, modes.c_oflag, modes.c_cflag, modes.c_lflag]
}

/// Runs [`as_a_child`] on a terminal of its own; returns what the terminal was sent.
fn check(how: &str, succeeds: bool) -> String {
    let (master, slave) = terminal();
    let before = modes(&slave);
    let end = || Stdio::from(slave.try_clone().unwrap());
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "term::tests::as_a_child", "--nocapture"])
        .env(HOW, how)
        .env_remove("RUST_BACKTRACE")
        .stdin(end())
        .stdout(end())
        .stderr(end())
        .spawn()
        .unwrap();
    let reader = thread::spawn(move || {
        let mut sent = Vec::new();
        // It ends with an error once nobody holds the other end.
        let _ = File::from(master).read_to_end(&mut sent);
        String::from_utf8_lossy(&sent).into_owned()
    });
    let status = child.wait().unwrap();
    let after = modes(&slave);
    drop(slave);
    let sent = reader.join().unwrap();
    assert_eq!(status.success(), succeeds, "{how}: {sent:?}");
    assert_eq!(before, after, "{how}: the modes are as they were");
    let last = |sequence: &str| {
        sent.rfind(sequence)
            .unwrap_or_else(|| panic!("{how}: {sequence:?} in {sent:?}"))
    };
    assert!(sent.contains("drawn"));
    for (borrow, give_back) in [
        ("\x1b[?1049h", "\x1b[?1049l"),
        ("\x1b[?1000h", "\x1b[?1000l"),
    ] {
        assert!(last(borrow) < last(give_back), "{how}");
    }
    last("\x1b[?25h");
    sent
}

fn after_the_screen(sent: &str) -> &str {
    sent.rsplit("\x1b[?1049l").next().unwrap()
}

#[test]
fn leaving_gives_the_terminal_back() {
    check("return", true);
}

#[test]
fn a_panic_gives_the_terminal_back_and_its_message_is_seen() {
    let sent = check("panic", false);
    assert!(
        after_the_screen(&sent).contains("the borrower panics"),
        "{sent:?}"
    );
}

#[test]
fn a_panic_elsewhere_is_told_once_the_terminal_is_back() {
    let sent = check("another", true);
    let (during, after) = sent.split_once("\x1b[?1049l").unwrap();
    assert!(!during.contains("another thread panics"), "{sent:?}");
    assert!(after.contains("another thread panics"), "{sent:?}");
}
