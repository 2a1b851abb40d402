use landlock::{ABI, Access as _, AccessFs, BitFlags};

/// What a grant allows, in the words of `landlock(7)`. Devices are made for a caller or not at all: no grant has their rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Right {
    ReadFile,
    ReadFolder,
    Execute,
    WriteFile,
    Truncate,
    MakeFile,
    MakeFolder,
    MakeLink,
    RemoveFile,
    RemoveFolder,
    Rename,
}

impl Right {
    /// All of them.
    pub const ALL: [Right; 11] = [
        Right::ReadFile,
        Right::ReadFolder,
        Right::Execute,
        Right::WriteFile,
        Right::Truncate,
        Right::MakeFile,
        Right::MakeFolder,
        Right::MakeLink,
        Right::RemoveFile,
        Right::RemoveFolder,
        Right::Rename,
    ];

    /// Whether it can be granted on a single file; the others are rights on the names in a folder.
    pub fn is_of_files(self) -> bool {
        matches!(
            self,
            Right::ReadFile | Right::Execute | Right::WriteFile | Right::Truncate
        )
    }

    /// Whether it lets something be changed.
    pub fn changes(self) -> bool {
        !matches!(self, Right::ReadFile | Right::ReadFolder | Right::Execute)
    }

    /// The access bits that stand for it. Device ioctls go with reading and writing: a terminal that
    /// may be opened may be asked for its size.
    fn access(self) -> BitFlags<AccessFs> {
        match self {
            Right::ReadFile => AccessFs::ReadFile | AccessFs::IoctlDev,
            Right::ReadFolder => AccessFs::ReadDir.into(),
            Right::Execute => AccessFs::Execute.into(),
            Right::WriteFile => AccessFs::WriteFile | AccessFs::IoctlDev,
            Right::Truncate => AccessFs::Truncate.into(),
            Right::MakeFile => AccessFs::MakeReg | AccessFs::MakeSock | AccessFs::MakeFifo,
            Right::MakeFolder => AccessFs::MakeDir.into(),
            Right::MakeLink => AccessFs::MakeSym.into(),
            Right::RemoveFile => AccessFs::RemoveFile.into(),
            Right::RemoveFolder => AccessFs::RemoveDir.into(),
            Right::Rename => AccessFs::Refer.into(),
        }
    }
}

/// A set of rights.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rights(u16);

impl Rights {
    pub(crate) const ALL: Rights = Rights((1 << Right::ALL.len()) - 1);

    pub(crate) fn insert(&mut self, right: Right) {
        self.0 |= 1 << right as u8;
    }

    /// Whether it has this one.
    pub fn contains(self, right: Right) -> bool {
        self.0 >> right as u8 & 1 == 1
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Right> {
        Right::ALL.into_iter().filter(move |right| self.contains(*right))
    }

    /// As Landlock has it, reduced to what an interface of this kernel knows and a file can have.
    pub(crate) fn access(self, abi: ABI, is_folder: bool) -> BitFlags<AccessFs> {
        let wanted = self.iter().map(Right::access);
        let all = wanted.fold(BitFlags::empty(), |sum, access| sum | access);
        let possible = if is_folder {
            AccessFs::from_all(abi)
        } else {
            AccessFs::from_file(abi)
        };
        all & possible
    }
}
