//! Lets the binaries and tests find libduckdb.so where it was linked from, without LD_LIBRARY_PATH.

fn main() {
    println!("cargo:rerun-if-env-changed=DUCKDB_LIB_DIR");
    if let Some(folder) = std::env::var_os("DUCKDB_LIB_DIR") {
        // relative values are seen from the crate's folder here, from anywhere at run time
        let folder = std::path::absolute(&folder).unwrap_or_else(|_| folder.into());
        println!("cargo:rustc-link-arg=-Wl,-rpath,{}", folder.display());
    }
}
