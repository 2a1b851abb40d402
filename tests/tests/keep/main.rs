//! What is lost can be had again: the trash under every way to lose bytes, and checkpoints of a workspace.

mod checkpoint;
mod trash;
