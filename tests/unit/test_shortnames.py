"""C++ names as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebprof.shortnames import MAX_LENGTH, short_name

STRING = "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >"
PAIR = f"std::pair<{STRING} const, int>"


@pytest.mark.parametrize(
    ("name", "short"),
    [
        (f"{STRING}::append(char const*)", "std::string::append(char const*)"),
        ("f(std::basic_string_view<char, std::char_traits<char> >)", "f(std::string_view)"),
        ("f(std::__1::basic_string<wchar_t>)", "f(std::wstring)"),
        ("f(std::basic_string<char, T, std::allocator<char> >)", "f(std::basic_string<char, T>)"),
        (
            "std::vector<int, std::allocator<int> >::push_back(int&&)",
            "std::vector<int>::push_back(int&&)",
        ),
        ("std::vector<int, my::pool<int> >::end()", "std::vector<int, my::pool<int>>::end()"),
        (
            f"std::map<{STRING}, int, std::less<{STRING} >, std::allocator<{PAIR} > >::find(int)",
            "std::map<std::string, int>::find(int)",
        ),
        (
            "std::set<int, std::less<void>, std::allocator<int> >::end()",
            "std::set<int, std::less<void>>::end()",
        ),
        ("std::unique_ptr<A, std::default_delete<A> >::get()", "std::unique_ptr<A>::get()"),
        ("std::unique_ptr<A, std::default_delete<B>>::get()",) * 2,
        (
            "std::priority_queue<int, std::vector<int, std::allocator<int> >, std::less<int> >::f",
            "std::priority_queue<int>::f",
        ),
        (
            "std::basic_ostream<char, std::char_traits<char> >& std::operator<< <int>"
            "(std::basic_ostream<char, std::char_traits<char> >&, int)",
            "std::ostream& std::operator<< <int>(std::ostream&, int)",
        ),
        ("std::shared_ptr<A>::operator->() const",) * 2,
        (
            "bool std::operator< <int>(std::vector<int, std::allocator<int> > const&)",
            "bool std::operator< <int>(std::vector<int> const&)",
        ),
        ("std::function<void (int)>::operator()(int) const",) * 2,
        (
            "std::_Tuple_impl<0ul, main::{lambda(int)#1}, std::vector<int, std::allocator<int> > >",
            "std::_Tuple_impl<0ul, main::{lambda(int)#1}, std::vector<int>>",
        ),
        (
            "mystd::vector<int, std::allocator<int> >",
            "mystd::vector<int, std::allocator<int>>",
        ),
        (
            "a::std::vector<int, std::allocator<int> >",
            "a::std::vector<int, std::allocator<int>>",
        ),
        ("kv::compress[abi:cxx11](int)", "kv::compress(int)"),
        ("main",) * 2,
        ("core::ptr::drop_in_place<alloc::string::String>",) * 2,
        ("std::rt::lang_start::{{closure}}",) * 2,
    ],
)
def test_names(name: str, short: str) -> None:
    assert short_name(name) == short


@pytest.mark.parametrize(
    "name",
    [
        "std::vector<int, std::allocator<int>",
        "std::vector>int<",
        "std::f(int",
        "std::vector<int)>",
        "std::" + "vector<" * 1000,
        "std::" + "vector<" * 100 + ">" * 100,
        "std::vector<int, std::allocator<int> >" + "x" * MAX_LENGTH,
    ],
)
def test_what_cannot_be_read_stays(name: str) -> None:
    assert short_name(name) == name


@given(st.text("std::vector<>, ()operator->[]{}", max_size=60).map("std::".__add__))
def test_any_name_gets_a_name(name: str) -> None:
    short = short_name(name)
    assert short
    assert len(short) <= len(name)
    assert short_name(short) == short
