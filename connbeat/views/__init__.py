"""Views: tables for people, from reports."""
