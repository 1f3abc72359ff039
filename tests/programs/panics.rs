//! Usage: panics [SECONDS [WAY]]
//!
//! Truth, by WAY: `catch`: half of the time is in a destructor while a panic unwinds through it, half
//! after the panic was caught, both in `panics::burn`; `machinery`: all of it is panicking itself. Every
//! stack of the main thread has `panics::main` and `panics::catch`.

use std::hint::black_box;
use std::io::Write;
use std::panic;
use std::time::Duration;

const UNIT: u64 = 100_000;
const DEPTH: u32 = 20;

#[inline(never)]
fn burn(iterations: u64) -> u64 {
    let mut x = iterations | 1;
    for _ in 0..iterations {
        x = black_box(x.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407));
    }
    x
}

struct BurnsWhenDropped(u64);

impl Drop for BurnsWhenDropped {
    #[inline(never)]
    fn drop(&mut self) {
        black_box(burn(self.0));
    }
}

#[inline(never)]
fn panic_deep(depth: u32, iterations: u64) -> u64 {
    if depth == 0 {
        let _guard = BurnsWhenDropped(iterations);
        panic!("deep");
    }
    black_box(panic_deep(depth - 1, iterations)).wrapping_add(1)
}

#[inline(never)]
fn catch(iterations: u64) {
    let caught = panic::catch_unwind(|| panic_deep(black_box(DEPTH), iterations));
    black_box(caught.is_err());
    black_box(burn(iterations));
}

fn main() {
    let seconds = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
    let machinery = std::env::args().nth(2).as_deref() == Some("machinery");
    if seconds > 0 {
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_secs(seconds));
            std::process::exit(0);
        });
    }
    panic::set_hook(Box::new(|_| {}));
    println!("ready");
    std::io::stdout().flush().expect("stdout");
    loop {
        catch(black_box(if machinery { 0 } else { 10 * UNIT }));
    }
}
