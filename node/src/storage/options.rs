//! How RocksDB is tuned: small enough that four nodes share a machine.

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DBCompressionType, LruCacheOptions, Options, WriteOptions,
};

use super::column::Column;

/// Bytes of decompressed blocks in memory.
const CACHE_BYTES: usize = 48 << 20;
/// Parts of the cache, as a power of two. What is longer than a part is kept by none and read from disk at each look-up: the
/// filter of a table with 600,000 keys did not fit into one of the 64 parts that RocksDB makes by itself.
const CACHE_SHARD_BITS: i32 = 2;
/// Bytes of one column's writes in memory before they are flushed.
const WRITE_BUFFER_BYTES: usize = 8 << 20;
/// Bytes of all columns' writes in memory.
const WRITE_BUFFERS_BYTES: usize = 32 << 20;
/// Bytes of the database's own log, after which whatever holds it is flushed.
const WAL_BYTES: u64 = 64 << 20;

/// Tables that the database keeps open.
pub const OPEN_FILES_MAX: i32 = 256;

/// Options of the whole database.
pub(super) fn database() -> Options {
    let mut options = Options::default();
    options.set_paranoid_checks(true);
    options.set_db_write_buffer_size(WRITE_BUFFERS_BYTES);
    options.set_max_total_wal_size(WAL_BYTES);
    options.set_wal_bytes_per_sync(1 << 20);
    options.set_bytes_per_sync(1 << 20);
    options.set_max_background_jobs(2);
    options.set_max_open_files(OPEN_FILES_MAX);
    options.set_keep_log_file_num(4);
    options.set_max_log_file_size(4 << 20);
    options.set_stats_dump_period_sec(0);
    options
}

/// All columns with their options.
pub(super) fn columns() -> Vec<ColumnFamilyDescriptor> {
    let mut lru = LruCacheOptions::default();
    lru.set_capacity(CACHE_BYTES);
    lru.set_num_shard_bits(CACHE_SHARD_BITS);
    let cache = Cache::new_lru_cache_opts(&lru);
    Column::ALL.iter().map(|column| ColumnFamilyDescriptor::new(column.name(), options(*column, &cache))).collect()
}

fn options(column: Column, cache: &Cache) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_cache_index_and_filter_blocks(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
    table.set_format_version(5);
    if column == Column::Bodies {
        table.set_block_size(64 << 10);
    }
    if column.is_filtered() {
        table.set_bloom_filter(10.0, false);
    }
    let mut options = Options::default();
    options.set_block_based_table_factory(&table);
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_write_buffer_size(WRITE_BUFFER_BYTES);
    options.set_max_write_buffer_number(3);
    options.set_level_compaction_dynamic_level_bytes(true);
    options
}

/// A write that is on the disk when it returns.
pub(super) fn synced() -> WriteOptions {
    let mut options = WriteOptions::default();
    options.set_sync(true);
    options
}
