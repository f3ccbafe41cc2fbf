-- How far each partition of the topic of results is written, and who may write it. The rows of a batch and next_offset
-- change in one transaction, under the epoch that each new owner raises: exactly once, and an older owner can do nothing.

CREATE TABLE IF NOT EXISTS sink_offsets (
	topic VARCHAR(249) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	partition_id INT NOT NULL,
	cluster_id VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'the Kafka cluster that next_offset is of',
	epoch BIGINT UNSIGNED NOT NULL,
	next_offset BIGINT NULL COMMENT 'NULL: from the earliest',
	batches BIGINT UNSIGNED NOT NULL COMMENT 'grows whenever rows may have changed',
	-- Set when the log is another one than before (new cluster, topic made anew): offsets in rows written until then
	-- cannot be compared with those that come now, so such rows yield to any.
	since DATETIME(6) NOT NULL COMMENT 'UTC',
	updated_at DATETIME(6) NOT NULL COMMENT 'UTC',
	PRIMARY KEY (topic, partition_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
