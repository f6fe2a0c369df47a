/* sql/sync_progress--1.0.0--1.1.0.sql */

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION sync_progress UPDATE TO '1.1.0'" to load this file. \quit
