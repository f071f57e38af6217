//! The TC programs in the kernel, on packets that no device has seen (BPF_PROG_TEST_RUN).

use weir::sys::bpf::prog_test_run;
use weir::tc::Counts;
use weir::tc::Direction;
use weir::tc::Programs;

use crate::support::skip;

#[test]
fn load() {
    let programs = match Programs::load(false) {
        Ok(programs) => programs,
        Err(error) => return skip(&error.to_string()),
    };
    assert_eq!(programs.read(1, Direction::Ingress), Ok(None));
    programs.add(1, 14).unwrap();
    assert_eq!(
        programs.read(1, Direction::Ingress),
        Ok(Some(Counts::default()))
    );
    let run = prog_test_run(programs.ingress(), &[0; 60], &[], 1).unwrap();
    assert_eq!(run.returned, -1);
    programs.remove(1).unwrap();
    assert_eq!(programs.read(1, Direction::Egress), Ok(None));
}
