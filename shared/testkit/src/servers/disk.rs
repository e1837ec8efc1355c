//! Free disk space.

use std::{ffi::CString, io, mem::MaybeUninit, os::unix::ffi::OsStrExt as _, path::Path};

/// The bytes that we may still write to the disk of `folder`.
///
/// # Errors
/// When the folder does not exist or cannot be reached.
pub fn free_disk_bytes(folder: &Path) -> io::Result<u64> {
    let path = CString::new(folder.as_os_str().as_bytes())?;
    let mut answer = MaybeUninit::<libc::statvfs>::uninit();
    #[expect(unsafe_code, reason = "statvfs(3) reads a C string and fills the struct that it is given")]
    let result = unsafe { libc::statvfs(path.as_ptr(), answer.as_mut_ptr()) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    #[expect(unsafe_code, reason = "statvfs(3) succeeded, so it has filled the struct")]
    let answer = unsafe { answer.assume_init() };
    Ok(answer.f_bavail.saturating_mul(answer.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_space_is_free_and_a_missing_folder_is_an_error() {
        assert!(free_disk_bytes(Path::new("/")).is_ok_and(|free| free > 0));
        assert!(free_disk_bytes(Path::new("/no/such/folder")).is_err());
    }
}
