//! The integration tests: one binary, one file for each kind of claim.

#[cfg(test)]
mod architecture;
#[cfg(test)]
mod cases;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod table;
#[cfg(test)]
mod tree;
