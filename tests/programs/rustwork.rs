//! Usage: rustwork [SECONDS]
//!
//! Truth: 50 % of the samples have `rustwork::closures` below `main`, 50 % `rustwork::recurse`, at
//! its full depth of 20 calls; both spin in `rustwork::burn`.

use std::hint::black_box;
use std::io::Write;
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

#[inline(never)]
fn apply<F: Fn(u64) -> u64>(function: F, argument: u64) -> u64 {
    black_box(function(argument)).wrapping_add(1)
}

#[inline(never)]
fn closures() -> u64 {
    let offset = black_box(1);
    let boxed: Box<dyn Fn(u64) -> u64> = Box::new(move |n| burn(n) ^ offset);
    apply(|n| apply(&boxed, n).wrapping_add(offset), UNIT)
}

#[inline(never)]
fn recurse(depth: u32) -> u64 {
    let below = if depth > 1 { recurse(depth - 1) } else { burn(UNIT) };
    black_box(below).wrapping_add(depth as u64)
}

fn main() {
    let seconds = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
    if seconds > 0 {
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_secs(seconds));
            std::process::exit(0);
        });
    }
    println!("ready");
    std::io::stdout().flush().expect("stdout");
    loop {
        black_box(closures());
        black_box(recurse(black_box(DEPTH)));
    }
}
