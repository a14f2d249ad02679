//! What every store must do, case by case, on a fresh database each.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed case")]

mod admin;
mod calls;
mod chats;
mod engine;
mod gateways;
mod intake;
mod keeping;
mod mail;
mod moves;
mod nodes;
mod outbox;
mod people;
mod replay;
mod schema;
mod support;
mod talks;
mod timers;

/// A module per case and a test per backend: both, always.
macro_rules! contract {
    ($($suite:ident { $($case:ident),+ $(,)? })+) => {$(
        mod $suite {
            $(mod $case {
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn sqlite() {
                    crate::$suite::$case(crate::support::Db::fresh(crate::support::Backend::Sqlite).await).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn postgres() {
                    crate::$suite::$case(crate::support::Db::fresh(crate::support::Backend::Postgres).await).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn pgbouncer() {
                    crate::$suite::$case(crate::support::Db::fresh(crate::support::Backend::PgBouncer).await).await;
                }
            })+
        }
    )+};
}

mod on {
    contract! {
        intake {
            a_first_lead_has_everything,
            a_repeat_by_key_changes_nothing,
            a_repeat_by_id_gets_the_same_answer,
            equal_content_is_a_repeat_within_the_window_only,
            the_same_key_with_other_content_is_kept_beside,
            a_delivery_without_identity_is_a_lead,
            an_order_is_amended_and_its_past_kept,
            an_amendment_within_a_batch_keeps_every_revision,
            quarantine_and_spam_own_no_keys,
            a_note_is_kept_without_a_lead,
            a_test_is_out_of_the_counts,
            references_lead_to_the_lead,
            historic_deliveries_are_marked,
            touches_stay_first_and_last,
            the_ring_keeps_the_newest,
        }
        people {
            a_known_contact_attaches_and_adds,
            after_junk_comes_a_new_lead,
            a_known_contact_without_a_lead_waits,
            repeat_lead_and_reopen_follow_the_source,
            own_leads_belong_to_one_contact,
            a_family_phone_is_shared,
            claims_are_limited_a_day,
            a_claim_owns_nothing_until_it_is_proven,
            a_crowded_value_costs_little,
        }
        engine {
            splitting_a_batch_changes_no_row,
            one_person_in_eight_spellings_at_once,
            a_poisoned_item_hurts_no_neighbour,
            pages_show_every_row_once,
            filters_choose,
            reopened_as_it_was,
            readers_do_not_wait,
            read_only_reads,
            cursors_move_with_their_items,
            a_preview_tells_and_writes_nothing,
        }
        replay {
            a_release_makes_the_lead_that_waited,
            a_released_retry_is_a_repeat,
            released_twins_are_one_lead,
            a_drop_stands_until_it_is_released,
            a_replay_changes_only_what_the_rules_change,
            what_is_settled_is_only_read_again,
            a_lead_without_a_person_gets_one,
            whoever_was_slower_changes_nothing,
            the_ring_keeps_what_was_released,
            ranges_are_walked_in_order,
            an_ignored_sender_makes_no_lead,
        }
        moves {
            detached_and_put_back_byte_for_byte,
            detaching_takes_the_values_along,
            what_cannot_be_moved,
        }
        nodes {
            a_lease_is_held_by_one,
            many_want_a_lease_and_one_gets_it,
            who_lost_the_lease_writes_nothing,
            gateways_are_known_while_they_live,
            two_versions_work_on_one_schema,
        }
        admin {
            a_lead_is_worked_on,
            versions_guard_changes,
            reopening_needs_the_place,
            tokens_are_kept_as_hashes,
            health_counts_and_totals,
            a_sweep_takes_what_is_old,
            attachments_are_known_while_named,
        }
        mail {
            what_we_sent_stands_in_the_thread,
            the_same_mail_in_another_mailbox_is_noted,
            a_forged_mail_in_two_mailboxes_is_one_suspect,
            a_bounce_marks_until_somebody_knows_better,
            a_form_and_its_notification_are_one,
            a_form_that_comes_second_is_told,
            a_broken_webhook_is_told,
            mails_leave_nothing_of_an_erased_person,
            splitting_mails_changes_no_row,
            a_mail_is_kept_whole_and_clean,
            storms_are_taken,
            sources_are_noted_and_asked,
            silence_is_judged_by_the_hour,
        }
        outbox {
            routes_make_jobs_with_their_events,
            what_is_not_fresh_owes_nothing,
            acts_owe_what_they_tell,
            a_claim_is_one_gateways,
            a_silent_gateway_holds_nothing,
            a_lane_keeps_its_order,
            nobody_delays_another,
            people_look_retry_and_drop,
            what_waits_too_long_is_given_up,
            an_answer_to_a_customer_is_given_up_by_an_attempt_alone,
            briefs_tell_what_stands,
            nothing_is_owed_of_who_was_erased,
        }
        chats {
            campaigns_have_links,
            codes_link_accounts,
            wrong_codes_are_counted,
            a_code_is_redeemed_by_one,
            a_chat_is_compared_and_set,
            a_topic_is_one_leads,
        }
        calls {
            a_call_is_decided_once,
            splitting_calls_changes_no_row,
            a_missed_call_waits_to_be_called_back,
            silence_is_due_and_decides,
            many_tell_of_one_call_at_once,
            who_calls_is_whoever_has_the_number_alone,
            a_nameless_call_on_a_landline_is_ambiguous,
            what_was_fetched_stays,
            a_replay_leaves_calls_alone,
            calls_leave_nothing_of_an_erased_person,
            old_calls_are_forgotten,
        }
        talks {
            an_album_is_one_activity,
            a_flood_is_gathered,
            splitting_talks_changes_no_row,
            staff_make_no_lead,
            follow_ups_are_owed_for_what_is_fresh,
            files_come_later,
            what_is_read_again_keeps_what_came_since,
            a_reply_is_written_once,
            whom_a_reply_is_for,
            how_a_reply_fares_is_known,
            a_reply_whose_time_is_over_fails,
            a_contact_says_what_they_are_called,
            a_deleted_message_says_so,
            old_chats_are_forgotten,
            talks_leave_nothing_of_an_erased_person,
        }
        timers {
            timers_fire_once,
            timers_are_void_when_somebody_acts,
            alarms_are_raised_once,
            an_address_is_answered_once_a_day,
        }
        keeping {
            old_deliveries_lose_their_bytes_and_keep_their_receipts,
            a_long_past_is_thinned_in_pieces,
            classes_go_in_their_time,
            a_source_keeps_within_its_quota,
            nothing_of_an_erased_person_is_left,
            what_belongs_to_another_stays,
            what_made_no_lead_goes_when_it_is_found,
            erasures_are_carried_over_a_restore,
        }
    }
}
