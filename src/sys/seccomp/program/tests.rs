use super::super::Features;
use super::super::calls;
use super::*;

/// Runs a program as the kernel does, on a call of an architecture.
fn run(program: &[Instruction], architecture: u32, number: u32, arguments: [u64; 6]) -> u32 {
    let mut data = [
        number.to_ne_bytes(),
        architecture.to_ne_bytes(),
        [0; 4],
        [0; 4],
    ]
    .concat();
    data.extend(arguments.iter().flat_map(|argument| argument.to_ne_bytes()));
    let (mut at, mut value) = (0, 0);
    // There are no jumps backwards.
    for _ in 0..program.len() {
        let step = program[at];
        at += 1;
        let holds = match step.code {
            LOAD => {
                let from = step.value as usize;
                value = u32::from_ne_bytes(data[from..from + 4].try_into().unwrap());
                continue;
            }
            JUMP => {
                at += step.value as usize;
                continue;
            }
            RETURN => return step.value,
            EQUAL => value == step.value,
            AT_LEAST => value >= step.value,
            ANY_BIT => value & step.value != 0,
            code => panic!("no instruction: {code:#x}"),
        };
        at += usize::from(if holds { step.then } else { step.otherwise });
    }
    panic!("no verdict");
}

const ARCHITECTURE: u32 = 0xc000_003e;

fn plain(calls: &[(u32, Rule)], number: u32) -> u32 {
    run(
        &assemble(ARCHITECTURE, calls),
        ARCHITECTURE,
        number,
        [u64::MAX; 6],
    )
}

#[test]
fn listed_calls_pass_and_others_do_not() {
    let calls = [0, 1, 2, 5, 7, 300].map(|number| (number, Rule::Pass));
    for number in 0..=300 {
        let listed = calls.iter().any(|(call, _)| *call == number);
        let expected = if listed { PASS } else { REFUSE };
        assert_eq!(plain(&calls, number), expected, "{number}");
    }
    assert_eq!(
        plain(&calls, 301),
        UNKNOWN,
        "newer than all that are listed"
    );
}

#[test]
fn another_architecture_and_x32_pass_nothing() {
    let calls = [(1, Rule::Pass)];
    let program = assemble(ARCHITECTURE, &calls);
    assert_eq!(run(&program, ARCHITECTURE, 1, [0; 6]), PASS);
    // That of 32-bit x86, whose numbers are others.
    assert_eq!(run(&program, 0x4000_0003, 1, [0; 6]), REFUSE);
    let x32 = 0x4000_0000;
    assert_eq!(run(&program, ARCHITECTURE, x32 | 1, [0; 6]), UNKNOWN);
    assert_eq!(run(&program, ARCHITECTURE, u32::MAX, [0; 6]), UNKNOWN);
}

#[test]
fn arguments_decide_by_their_lower_half() {
    let calls = [
        (1, Rule::OneOf(0, &[2, 10])),
        (2, Rule::With(1, 0x1_0000)),
        (3, Rule::Without(2, 4)),
        (4, Rule::Unknown),
        (5, Rule::Refuse),
    ];
    let program = assemble(ARCHITECTURE, &calls);
    let verdict = |number, arguments: [u64; 3]| {
        let [a, b, c] = arguments;
        run(&program, ARCHITECTURE, number, [a, b, c, 0, 0, 0])
    };
    let high = 0xffff_ffff_0000_0000;
    for (number, arguments, expected) in [
        (1, [2, 0, 0], PASS),
        (1, [high | 10, 0, 0], PASS),
        (1, [3, 2, 10], REFUSE),
        (1, [0x2_0000_0000, 0, 0], REFUSE),
        (2, [0, 0x3_0f00, 0], PASS),
        (2, [0x1_0000, 0x11, 0x1_0000], REFUSE),
        (3, [4, 4, 3], PASS),
        (3, [0, 0, 7], REFUSE),
        (4, [0, 0, 0], UNKNOWN),
        (5, [0, 0, 0], REFUSE),
    ] {
        assert_eq!(
            verdict(number, arguments),
            expected,
            "{number} {arguments:?}"
        );
    }
}

#[test]
fn jumps_over_more_than_a_comparison_can() {
    static MANY: [u32; 100] = [7; 100];
    let calls: Vec<_> = (0..20).map(|at| (at * 2, Rule::OneOf(0, &MANY))).collect();
    let program = assemble(ARCHITECTURE, &calls);
    assert!(program.iter().any(|step| step.code == JUMP));
    for number in 0..38 {
        let expected = if number % 2 == 0 { PASS } else { REFUSE };
        assert_eq!(run(&program, ARCHITECTURE, number, [7; 6]), expected);
        assert_eq!(run(&program, ARCHITECTURE, number, [8; 6]), REFUSE);
    }
}

#[test]
fn every_rule_of_this_machine_is_found() {
    let Some(architecture) = calls::ARCHITECTURE else {
        return;
    };
    let all = Features {
        bpf: true,
        setns: true,
    };
    for features in [Features::default(), all] {
        let calls = calls::list(features);
        assert!(calls.is_sorted_by(|one, next| one.0 < next.0));
        let program = assemble(architecture, &calls);
        assert!(program.len() < 4096, "the kernel's limit");
        let verdict = |number: u32| run(&program, architecture, number, [0; 6]);
        for (number, rule) in &calls {
            let expected = match rule {
                Rule::Pass | Rule::Without(..) => PASS,
                Rule::Unknown => UNKNOWN,
                // No list and no mask has 0.
                Rule::Refuse | Rule::OneOf(..) | Rule::With(..) => REFUSE,
            };
            assert_eq!(verdict(*number), expected, "{number}");
        }
        let number = |call: libc::c_long| u32::try_from(call).unwrap();
        assert_eq!(verdict(number(libc::SYS_read)), PASS);
        for call in [
            libc::SYS_execve,
            libc::SYS_kill,
            libc::SYS_mount,
            libc::SYS_listen,
        ] {
            assert_eq!(verdict(number(call)), REFUSE, "{call}");
        }
        let expected = if features.bpf { PASS } else { REFUSE };
        assert_eq!(verdict(number(libc::SYS_bpf)), expected);
        assert_eq!(verdict(number(libc::SYS_setns)), expected);
        let (last, _) = calls
            .iter()
            .rfind(|(_, rule)| *rule == Rule::Refuse)
            .unwrap();
        let newest = if cfg!(target_arch = "arm") {
            0xf_ffff
        } else {
            last + 1
        };
        assert_eq!(verdict(newest), UNKNOWN);
    }
}
