//! A site's replica by XEP-0282's sections, with its cast: by itself, with the test in the primary's place, and in a world
//! of engines that talk over ordered links.

mod attached;
mod awaited;
mod closing;
mod digest;
mod handover;
mod moderated;
mod one_world;
mod properties;
mod refused;
mod remembered;
mod s4_11_archive;
mod s4_11_back_again;
mod s4_11_changes;
mod s4_11_destroyed;
mod s4_11_disks;
mod s4_11_leaves;
mod s4_11_losses;
mod s4_11_members;
mod s4_11_netsplit;
mod s4_11_once_more;
mod s4_11_order;
mod s4_11_set_back;
mod s4_11_verdicts;
mod s4_2_creating;
mod s4_8_relaying;
mod s5_distributing;
mod site;
mod split_settings;
mod takeover;
mod world;
