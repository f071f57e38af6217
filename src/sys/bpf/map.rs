//! A hash map with a value for each CPU, and its elements.
//!
//! How much the kernel reads and writes at a value's address depends on the number of CPUs that it allows for. That is
//! asked from the kernel itself (`possible_cpus`) and not read from /sys/devices/system/cpu/possible, which a container
//! may lack or make up: a number too small would let the kernel write over memory that is not the value's.

use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;

use rustix::io::Errno;

use super::BpfError;
use super::Command;
use super::address;
use super::call;
use super::descriptor;
use super::name;
use super::open;

/// More CPUs than any kernel can be built for (CONFIG_NR_CPUS is 8192 at most).
const MOST_CPUS: usize = 16_384;

const MAP_TYPE_PERCPU_HASH: u32 = 5;
const MAP_TYPE_PERCPU_ARRAY: u32 = 6;
const MAP_NO_PREALLOC: u32 = 1;

#[repr(C)]
struct MapCreate {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
    inner_map_fd: u32,
    numa_node: u32,
    map_name: [u8; 16],
}

const _: () = assert!(size_of::<MapCreate>() == 44);

// SAFETY: BPF_MAP_CREATE and the beginning of its struct, seven words and a name.
unsafe impl Command for MapCreate {
    const NUMBER: libc::c_long = 0;
    const NAME: &'static str = "BPF_MAP_CREATE";
}

#[repr(C)]
struct Element<const NUMBER: u8> {
    map_fd: u32,
    unused: u32,
    key: u64,
    value: u64,
    flags: u64,
}

const _: () = assert!(size_of::<Lookup>() == 32);

type Lookup = Element<1>;
type Update = Element<2>;
type Delete = Element<3>;

// SAFETY: BPF_MAP_LOOKUP_ELEM and the struct of the commands on elements.
unsafe impl Command for Lookup {
    const NUMBER: libc::c_long = 1;
    const NAME: &'static str = "BPF_MAP_LOOKUP_ELEM";
}

// SAFETY: BPF_MAP_UPDATE_ELEM and the struct of the commands on elements.
unsafe impl Command for Update {
    const NUMBER: libc::c_long = 2;
    const NAME: &'static str = "BPF_MAP_UPDATE_ELEM";
}

// SAFETY: BPF_MAP_DELETE_ELEM and the struct of the commands on elements.
unsafe impl Command for Delete {
    const NUMBER: libc::c_long = 3;
    const NAME: &'static str = "BPF_MAP_DELETE_ELEM";
}

/// The number of CPUs that this kernel allows for, present or not.
///
/// Counted in the answer for one element of a map that has a value of 8 bytes for each: the zeros of a new array over
/// memory that held none, with room for more CPUs than there can be.
///
/// # Errors
/// When the kernel refuses the map, or its answer is none.
fn possible_cpus() -> Result<usize, BpfError> {
    let array = map_create(&mut MapCreate {
        map_type: MAP_TYPE_PERCPU_ARRAY,
        key_size: 4,
        value_size: 8,
        max_entries: 1,
        map_flags: 0,
        inner_map_fd: 0,
        numa_node: 0,
        map_name: name("weir_cpus"),
    })?;
    let key = 0u32;
    let mut values = vec![u64::MAX; MOST_CPUS];
    let mut attributes = Lookup {
        map_fd: descriptor(&array),
        unused: 0,
        key: address(&raw const key),
        value: address(values.as_mut_ptr()),
        flags: 0,
    };
    // SAFETY: the key has the map's 4 bytes, and there is room for the value of more CPUs than a kernel can have.
    unsafe { call(&mut attributes) }.map_err(BpfError::of::<Lookup>)?;
    match values.iter().take_while(|value| **value == 0).count() {
        0 | MOST_CPUS => Err(BpfError::of::<Lookup>(Errno::RANGE)),
        cpus => Ok(cpus),
    }
}

fn map_create(attributes: &mut MapCreate) -> Result<OwnedFd, BpfError> {
    // SAFETY: there are no pointers in it.
    unsafe { open(attributes) }.map_err(BpfError::of::<MapCreate>)
}

/// A key of [`PerCpuHash`].
pub type Key = [u32; 2];

/// A hash map (BPF_MAP_TYPE_PERCPU_HASH) with a value of some 64-bit words for each CPU. Memory is taken as entries are
/// made.
#[derive(Debug)]
pub struct PerCpuHash {
    map: OwnedFd,
    words: usize,
    cpus: usize,
}

impl PerCpuHash {
    /// Makes a map for at most `entries` keys with values of `words` words.
    ///
    /// # Errors
    /// When the kernel refuses it: without CAP_BPF, before Linux 5.11 also when RLIMIT_MEMLOCK is too low.
    pub fn create(called: &str, words: u8, entries: u32) -> Result<Self, BpfError> {
        let cpus = possible_cpus()?;
        let map = map_create(&mut MapCreate {
            map_type: MAP_TYPE_PERCPU_HASH,
            key_size: size_of::<Key>() as u32,
            value_size: u32::from(words) * 8,
            max_entries: entries,
            map_flags: MAP_NO_PREALLOC,
            inner_map_fd: 0,
            numa_node: 0,
            map_name: name(called),
        })?;
        let words = usize::from(words);
        Ok(Self { map, words, cpus })
    }

    /// Makes an entry, or puts it back to this value, which every CPU gets. Words that `value` lacks are 0, and words
    /// that the map lacks are left out.
    ///
    /// # Errors
    /// E2BIG when the map is full, ENOMEM.
    pub fn update(&self, key: Key, value: &[u64]) -> Result<(), BpfError> {
        let mut one = value.to_vec();
        one.resize(self.words, 0);
        let all = one.repeat(self.cpus);
        let mut attributes = Update {
            map_fd: descriptor(&self.map),
            unused: 0,
            key: address(&raw const key),
            value: address(all.as_ptr()),
            flags: 0,
        };
        // SAFETY: the key is the map's, and the value has as many words for each CPU as the map was made with.
        unsafe { call(&mut attributes) }.map_err(BpfError::of::<Update>)?;
        Ok(())
    }

    /// What stands at a key: the words of each CPU, one CPU after the other; `None` where nothing does.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn lookup(&self, key: Key) -> Result<Option<Vec<u64>>, BpfError> {
        let mut values = vec![0; self.words * self.cpus];
        let mut attributes = Lookup {
            map_fd: descriptor(&self.map),
            unused: 0,
            key: address(&raw const key),
            value: address(values.as_mut_ptr()),
            flags: 0,
        };
        // SAFETY: the key is the map's, and there is room for the words of every CPU.
        match unsafe { call(&mut attributes) } {
            Ok(_) => Ok(Some(values)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(BpfError::of::<Lookup>(errno)),
        }
    }

    /// Takes an entry out; `false` where there was none.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn delete(&self, key: Key) -> Result<bool, BpfError> {
        let mut attributes = Delete {
            map_fd: descriptor(&self.map),
            unused: 0,
            key: address(&raw const key),
            value: 0,
            flags: 0,
        };
        // SAFETY: the key is the map's.
        match unsafe { call(&mut attributes) } {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(BpfError::of::<Delete>(errno)),
        }
    }

    /// How many words a CPU has in a value.
    #[must_use]
    pub fn words(&self) -> usize {
        self.words
    }
}

impl AsFd for PerCpuHash {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.map.as_fd()
    }
}
