#ifndef CONTRACT_CASES_H
#define CONTRACT_CASES_H
/* The one list of cases: X(name) or SLOW(name); each is `void <name>(struct contract *c)` in one of cases_*.c. */
#include "tests/contract/helpers.h"

#define CONTRACT_CASES(X, SLOW) \
	X(records_come_back_in_order_with_their_offsets) \
	X(null_and_empty_keys_and_values_are_told_apart) \
	X(headers_come_back_in_order_with_repeats_and_nulls) \
	X(a_record_without_headers_has_none) \
	X(timestamps_come_back_and_zero_becomes_one) \
	X(keyed_records_go_to_the_partition_of_their_key) \
	X(deliveries_tell_offset_and_tag) \
	X(only_failures_are_reported_when_asked_so) \
	X(the_producer_knows_how_far_it_has_delivered) \
	X(a_record_from_the_future_is_refused) \
	X(a_topic_can_be_told_to_take_any_date) \
	X(a_record_that_is_too_large_is_refused_at_once) \
	X(large_records_of_any_bytes_come_back_as_they_went) \
	X(a_compacted_topic_refuses_a_record_without_a_key) \
	X(records_of_several_partitions_carry_the_user_pointer_of_theirs) \
	X(position_is_behind_the_record_that_was_handed_over) \
	X(a_poll_that_is_left_early_goes_on_without_loss_or_repeat) \
	X(a_paused_partition_gives_nothing_until_resumed) \
	X(a_pause_inside_the_callback_takes_hold_at_once) \
	X(a_seek_drops_what_was_fetched_ahead) \
	X(a_seek_inside_the_callback_reads_again_from_there) \
	X(an_unassigned_partition_gives_nothing_until_assigned_again) \
	X(reading_from_the_end_sees_only_what_comes_later) \
	X(a_position_outside_the_log_is_reported_once_and_mended_by_seek) \
	X(a_topic_that_is_not_there_is_reported) \
	X(lag_is_known_once_records_have_come) \
	X(seek_wants_the_partition_to_be_assigned) \
	X(a_committed_transaction_becomes_visible) \
	X(an_open_transaction_hides_itself_and_what_follows) \
	X(aborted_records_are_seen_by_uncommitted_readers_only) \
	X(position_passes_the_markers_up_to_the_end) \
	X(position_passes_aborted_records_up_to_the_end) \
	X(each_partition_of_a_transaction_gets_one_marker) \
	X(of_two_transactions_the_older_holds_readers_back) \
	X(init_aborts_what_a_predecessor_left_open) \
	X(a_fenced_producer_cannot_commit) \
	X(an_empty_transaction_commits_and_aborts) \
	X(calls_out_of_order_are_refused) \
	X(a_refused_record_spoils_its_transaction_only) \
	X(offsets_are_committed_with_the_transaction_and_their_metadata) \
	X(offsets_of_an_aborted_transaction_are_not_committed) \
	X(offsets_of_an_open_transaction_hold_the_committed_one_back) \
	X(offsets_of_a_fenced_member_make_the_transaction_abortable) \
	SLOW(a_transaction_that_takes_too_long_is_aborted_and_its_producer_fenced) \
	X(a_lone_member_gets_all_partitions) \
	X(two_members_share_the_anchor_and_read_the_companion) \
	X(a_third_member_comes_and_goes_without_loss) \
	X(close_gives_the_partitions_to_those_who_stay) \
	X(a_static_member_comes_back_unnoticed) \
	X(a_static_member_is_fenced_by_its_successor) \
	X(a_static_member_back_between_two_rounds_leaves_nothing_ownerless) \
	X(what_a_static_member_wants_newly_it_gets) \
	X(a_member_asks_for_a_round_and_changes_in_it_what_it_reads) \
	X(partitions_added_to_a_topic_are_read_and_assigned) \
	SLOW(a_member_that_does_not_poll_loses_its_membership) \
	SLOW(workers_copy_each_record_once_through_aborts_and_rebalances) \
	X(a_group_can_be_described) \
	X(a_seek_from_outside_the_log_does_not_answer_an_event) \
	X(members_are_told_of_after_each_event) \
	X(a_static_member_can_leave_for_good) \
	X(committed_offsets_can_be_set_and_deleted) \
	X(a_group_with_members_is_not_altered) \
	X(topics_are_made_once_and_keep_their_configuration) \
	X(a_topic_that_is_deleted_is_gone) \
	X(deleted_records_move_the_first_offset) \
	X(records_of_a_compacted_topic_cannot_be_deleted) \
	X(offsets_are_found_by_time) \
	X(the_cluster_has_an_id)

#define CONTRACT_DECLARE(name) void name(struct contract *c);
CONTRACT_CASES(CONTRACT_DECLARE, CONTRACT_DECLARE)
#undef CONTRACT_DECLARE

#endif
