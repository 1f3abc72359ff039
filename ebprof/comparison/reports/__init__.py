"""Comparisons as files: one form a module, whose name is the form's.

Each has OPTIONS, the members of a `View` that it takes, and write(comparison, view, file). Forms
for people, who are shown C++ names as they write them, have `IS_FOR_PEOPLE = True`.
"""
