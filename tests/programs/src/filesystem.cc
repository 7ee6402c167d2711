/* std::filesystem over the tree. */
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

namespace fs = std::filesystem;

int main(int argc, char **argv)
{
    const fs::path tree = argv[argc - 1];
    std::vector<std::string> lines;
    for (const auto &entry : fs::recursive_directory_iterator(tree / "nested"))
        lines.push_back(entry.path().string() + (entry.is_directory() ? "/" : " " + std::to_string(entry.file_size())));
    for (const auto &entry : fs::directory_iterator(tree))
        lines.push_back(entry.path().filename().string() + (entry.is_regular_file() ? " file" : " other"));
    std::sort(lines.begin(), lines.end());
    for (const auto &line : lines)
        std::cout << line << "\n";

    std::error_code error;
    std::cout << fs::exists(tree / "missing") << fs::exists(tree / "text") << fs::is_empty(tree / "empty")
              << fs::is_empty(tree / "marker") << " " << fs::file_size(tree / "sizes/9MiB") << "\n";
    std::cout << fs::file_size(tree / "missing", error) + 1 << " " << error.value() << "\n";
    std::cout << fs::canonical(tree / "text/../nested/a").string() << " "
              << fs::weakly_canonical(tree / "none/x").string() << "\n";
    std::cout << fs::equivalent(tree / "text", tree / "nested/../text") << " "
              << (fs::status(tree / "one-byte").permissions() == static_cast<fs::perms>(0555)) << "\n";
    fs::current_path(tree / "nested");
    std::cout << fs::current_path().string() << " " << fs::exists("a.txt") << " "
              << fs::absolute("a").string() << "\n";
    const fs::path copy = fs::path(getenv("T")) / "copy";
    std::cout << fs::copy_file(tree / "text/alpha.txt", copy) << " " << fs::file_size(copy) << "\n";
    fs::create_directory(copy.string() + "-tree");
    fs::copy(tree / "nested", copy.string() + "-tree");     // its files, not what lies deeper
    std::cout << fs::exists(copy.string() + "-tree/a.txt") << "\n";
}
